#include "tests/bench/bare_load.h"

#include <sys/random.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/contract/encoding.h"

namespace baokms::bench {
namespace {

constexpr long kHttpOk = 200;

struct CleanupEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

std::size_t Append(char* data, std::size_t size, std::size_t count, void* answer) {
  static_cast<std::string*>(answer)->append(data, size * count);
  return size * count;
}

std::string EncryptBody(const BareSettings& settings) {
  std::array<std::uint8_t, kPlaintextBytes> seed{};
  if (getrandom(seed.data(), seed.size(), 0) != static_cast<ssize_t>(seed.size())) {
    std::abort();
  }
  return nlohmann::json{{"plaintext", contract::EncodeBase64(seed)},
                        {"associated_data", settings.aad},
                        {"key_version", settings.key_version}}
      .dump();
}

// The answer's ciphertext; empty when it has none.
std::string Ciphertext(const std::string& answer) {
  const auto json = nlohmann::json::parse(answer, nullptr, false);
  const nlohmann::json::json_pointer place("/data/ciphertext");
  return json.contains(place) && json[place].is_string() ? json[place].get<std::string>() : "";
}

}  // namespace

// One call in flight, and the next one when it ends; the easy handle points to it.
struct BareLoad::Slot {
  std::unique_ptr<CURL, CleanupEasy> easy;
  std::string_view wanted;  // what a good answer has in it
  const std::vector<std::string>* bodies = nullptr;
  std::size_t number = 0;
  std::size_t request = 0;
  Clock::time_point began;
  std::string answer;

  Status Check(CURLcode code) const {
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && status == kHttpOk && answer.find(wanted) != std::string::npos) {
      return {};
    }
    std::cerr << "OpenBao: " << curl_easy_strerror(code) << ", HTTP " << status << ": " << answer
              << '\n';
    return Error(ErrorCode::kUnavailable, "a Transit call failed");
  }
};

BareLoad::BareLoad(BareSettings settings) : settings_(std::move(settings)) {
}

Result<std::unique_ptr<BareLoad>> BareLoad::Create(BareSettings settings) {
  std::unique_ptr<BareLoad> load(new BareLoad(std::move(settings)));
  load->loop_ = BAOKMS_TRY(CurlLoop::Create(kMaxConcurrency));
  for (const std::string& header :
       {"X-Vault-Token: " + load->settings_.token, std::string("Content-Type: application/json"),
        std::string("Expect:")}) {
    load->headers_.reset(curl_slist_append(load->headers_.release(), header.c_str()));
  }
  return load;
}

const std::vector<std::string>& BareLoad::Bodies(Operation operation) const {
  return operation == Operation::kEncrypt ? encrypts_ : decrypts_;
}

Result<std::unique_ptr<BareLoad::Slot>> BareLoad::MakeSlot(Operation operation) const {
  auto slot = std::make_unique<Slot>();
  slot->easy.reset(curl_easy_init());
  CURL* easy = slot->easy.get();
  if (easy == nullptr) {
    return Error(ErrorCode::kInternal, "curl_easy_init");
  }
  const bool encrypt = operation == Operation::kEncrypt;
  slot->wanted = encrypt ? R"("ciphertext":")" : R"("plaintext":")";
  slot->bodies = &Bodies(operation);
  const std::string url = settings_.address + "/v1/" + settings_.mount +
                          (encrypt ? "/encrypt/" : "/decrypt/") + settings_.key;
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_CAINFO, settings_.ca_file.c_str());
  curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, long{std::chrono::milliseconds(kCallLimit).count()});
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Append);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &slot->answer);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, slot.get());
  return slot;
}

Status BareLoad::Begin(Slot& slot) {
  const std::string& body = (*slot.bodies)[slot.request];
  curl_easy_setopt(slot.easy.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  curl_easy_setopt(slot.easy.get(), CURLOPT_POSTFIELDS, body.c_str());
  slot.answer.clear();
  slot.began = Clock::now();
  return loop_->Add(slot.easy.get());
}

Status BareLoad::Prepare() {
  if (!decrypts_.empty()) {
    return {};
  }
  for (std::size_t n = 0; n < kDistinctRequests; ++n) {
    encrypts_.push_back(EncryptBody(settings_));
  }
  const auto slot = BAOKMS_TRY(MakeSlot(Operation::kEncrypt));
  for (std::size_t n = 0; n < kDistinctRequests; ++n) {
    slot->request = n;
    BAOKMS_TRY(Begin(*slot));
    BAOKMS_TRY(loop_->Run([&](CURL*, CURLcode code) { return slot->Check(code); }));
    const nlohmann::json body{{"ciphertext", Ciphertext(slot->answer)},
                              {"associated_data", settings_.aad}};
    decrypts_.push_back(body.dump());
  }
  return {};
}

Status BareLoad::Run(Operation operation, std::size_t concurrency, Recorder& recorder) {
  std::vector<std::unique_ptr<Slot>> slots;
  for (std::size_t n = 0; n < concurrency; ++n) {
    slots.push_back(BAOKMS_TRY(MakeSlot(operation)));
    slots.back()->number = slots.back()->request = n;
    BAOKMS_TRY(Begin(*slots.back()));
  }
  return loop_->Run([&](CURL* easy, CURLcode code) -> Status {
    const auto now = Clock::now();
    char* address = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &address);
    auto& slot = *reinterpret_cast<Slot*>(address);
    BAOKMS_TRY(slot.Check(code));
    recorder.Add(slot.began, now);
    if (!recorder.Open(now)) {
      return {};
    }
    slot.request = NextRequest(slot.request, slot.number, concurrency);
    return Begin(slot);
  });
}

}  // namespace baokms::bench
