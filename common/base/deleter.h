// Owns an object that a C library allocated: std::unique_ptr<X509, Deleter<X509_free>>. The
// library's function is a template argument so that this header depends on no library.

#pragma once

namespace baokms {

template <auto kFree>
struct Deleter {
  template <typename Object>
  void operator()(Object* object) const {
    (void)kFree(object);
  }
};

}  // namespace baokms
