// The alert with which a server ended a TLS connection (RFC 8446, section 6). With TLS 1.3 a server
// may refuse a client after the client's handshake is complete, and then the alert is the only sign
// that the connection did not simply break.

#pragma once

#include <cstdint>

namespace baokms::openbao {

// The description of an alert; 0: none. close_notify, which has the number 0, is not an error.
using TlsAlert = std::uint8_t;

inline constexpr TlsAlert kNoTlsAlert = 0;
inline constexpr TlsAlert kBadCertificate = 42;
inline constexpr TlsAlert kCertificateRequired = 116;

// Stores alerts that arrive on connections of `ssl_ctx` (an SSL_CTX) in `target`, until
// WatchAlerts() sets another target for a connection. `target` must outlive the connections.
void WatchNewAlerts(void* ssl_ctx, TlsAlert& target);

// Stores alerts that arrive on `ssl` (an SSL) in `target` from now on.
void WatchAlerts(const void* ssl, TlsAlert& target);

}  // namespace baokms::openbao
