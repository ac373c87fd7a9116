#include "common/openbao/form_post.h"

#include "common/base/error.h"
#include "common/openbao/http_limits.h"
#include "common/openbao/outcome.h"

namespace baokms::openbao {
namespace {

constexpr long kWanted = 200;

// Addresses that libcurl never connects to, because every socket comes from the connector.
constexpr char kConnectTo[] = "::192.0.2.1:";
constexpr char kProxy[] = "http://192.0.2.1:1";

// Keeps the response unchanged.
AttemptOutcome Keep(const HttpResponse& response,
                    const AttemptOutcome& transport,
                    FormAnswer& answer) {
  answer.status = response.status;
  answer.content_type = response.content_type;
  if (response.status == kWanted) {
    answer.body.Append(response.body);
  }
  if (response.extent == HttpResponse::Extent::kComplete || response.status != kWanted) {
    return {.error_class = ErrorClass::kOk};  // of any other response only the status is used
  }
  return response.extent == HttpResponse::Extent::kOverLimit
             ? AttemptOutcome{.error_class = ErrorClass::kUndecodable}
             : transport;
}

}  // namespace

Result<std::unique_ptr<FormPoster>> FormPoster::Create(EventLoop& loop,
                                                       Connector& connector,
                                                       FormPostOptions options) {
  if (!options.url.starts_with("https://")) {
    return Error(ErrorCode::kInvalidArgument, "token endpoint without https");
  }
  Route route{.base_url = std::move(options.url),
              .headers = {"Accept: application/json"},
              .content_type = "Content-Type: application/x-www-form-urlencoded"};
  (options.route == PostRoute::kTunnel ? route.proxy : route.connect_to) =
      options.route == PostRoute::kTunnel ? kProxy : kConnectTo;
  ExchangeOptions exchange{.routes = {},
                           .first_endpoint = options.endpoint,
                           .ca_pem = std::move(options.ca_pem),
                           .max_connections = kMaxFormPosts,
                           .max_calls = kMaxFormPosts};
  exchange.routes.push_back(std::move(route));
  // Before the poster is allocated: a failure would return from the middle of the expression.
  auto made = BAOKMS_TRY(Exchange::Create(loop, connector, std::move(exchange)));
  return std::unique_ptr<FormPoster>(new FormPoster(std::move(made)));
}

void FormPoster::Post(FormRequest request, BootTime deadline, Done done) {
  NewCall call;
  call.request.body = std::move(request.body);
  call.request.secret_header = std::move(request.authorization);
  call.request.body_limit = kMaxFormAnswerBytes;
  call.deadline = deadline;
  call.use = ConnectionUse::kFresh;
  call.once = true;
  const auto answer = std::make_shared<FormAnswer>();
  call.handler = {.classify =
                      [answer](const HttpResponse& response, const AttemptOutcome& transport) {
                        return Keep(response, transport, *answer);
                      },
                  .deliver =
                      [answer, done = std::move(done)](const CallReport& report) {
                        answer->error_class = report.error_class;
                        done(std::move(*answer));
                      }};
  (void)exchange_->Submit(std::move(call));  // never cancelled
}

}  // namespace baokms::openbao
