#include "supervisor/status/status_cache.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "gtest/gtest.h"

namespace baokms::supervisor {
namespace {

using std::chrono::seconds;
using Health = StatusView::Health;

constexpr BootTime kAt = seconds(1000);
constexpr std::int64_t kAtUnix = 1'800'000'000;

StatusView GoodView() {
  StatusView view;
  view.health = Health::kOk;
  view.metadata_at = kAt;
  view.metadata_at_unix = kAtUnix;
  view.max_staleness = seconds(120);
  view.active_key_id = "obk2.x";
  return view;
}

TEST(IsStaleTest, TakesTheLargerAgeOfTheTwoClocks) {
  struct Row {
    const char* name;
    int boot;
    int unix_time;
    bool stale;
  };

  constexpr Row kRows[] = {{"fresh", 0, 0, false},
                           {"at the limit", 120, 120, false},
                           {"boot over", 121, 0, true},
                           {"wall over", 0, 121, true},
                           {"wall set back", 10, -5000, false},
                           {"wall set back, boot over", 121, -5000, true}};
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(IsStale(GoodView(), kAt + seconds(row.boot), kAtUnix + row.unix_time), row.stale);
  }
}

TEST(IsStaleTest, CallsAViewWithoutMetadataStale) {
  EXPECT_TRUE(IsStale(StatusView{}, kAt, kAtUnix));
}

TEST(StatusCacheTest, StartsUnavailable) {
  const StatusCache cache;
  EXPECT_EQ(cache.View()->health, Health::kUnavailable);
  EXPECT_FALSE(cache.Diagnose(kAt, kAtUnix).ready);
  EXPECT_EQ(cache.Diagnose(kAt, kAtUnix).healthz, "unhealthy");
}

TEST(StatusCacheTest, AgesAtReading) {
  StatusCache cache;
  Diagnostics diagnostics;
  diagnostics.stale_reasons = {"status_stale", "metadata_read_failed"};
  cache.Publish(GoodView(), diagnostics);
  EXPECT_TRUE(cache.Diagnose(kAt + seconds(3), kAtUnix).ready);
  EXPECT_TRUE(cache.Diagnose(kAt + seconds(3), kAtUnix).reasons.empty());
  EXPECT_EQ(cache.Diagnose(kAt + seconds(3), kAtUnix).cache_age_ms, 3000);
  const Diagnostics late = cache.Diagnose(kAt + seconds(121), kAtUnix);
  EXPECT_FALSE(late.ready);
  EXPECT_EQ(late.healthz, "unhealthy");
  EXPECT_EQ(late.reasons, diagnostics.stale_reasons);
}

TEST(StatusCacheTest, NeverShowsHalfAChange) {
  StatusCache cache;
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    while (!stop) {
      const auto view = cache.View();
      EXPECT_EQ(view->active_version, view->table_generation);
    }
  });
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    StatusView view = GoodView();
    view.active_version = i;
    view.table_generation = i;
    cache.Publish(std::move(view), {});
  }
  stop = true;
  reader.join();
}

}  // namespace
}  // namespace baokms::supervisor
