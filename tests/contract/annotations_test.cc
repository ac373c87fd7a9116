#include "common/contract/annotations.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/contract/encoding.h"
#include "common/contract/limits.h"
#include "tests/contract/vectors.h"

namespace baokms::contract {
namespace {

using vectors::Json;
using vectors::kGoldenVersion;
using vectors::ViewsOf;

constexpr std::string_view kNamespaceKey = "openbao-namespace-hash.kms.openbao.org";
constexpr std::string_view kPluginVersionKey = "plugin-version.kms.openbao.org";

KeyBinding GoldenKey() {
  return BindKey(vectors::GoldenIdentity(), kGoldenVersion).value();
}

KeyBinding NamespacedKey() {
  return BindKey(vectors::NamespacedIdentity(), kGoldenVersion).value();
}

std::vector<Annotation> GoldenAnnotations() {
  return BuildAnnotations(GoldenKey(), "v0.1.0").value();
}

// All checks of a Decrypt request, with the key already looked up.
RequestVerdict Check(const std::vector<AnnotationView>& annotations, const KeyBinding& key) {
  const RequestVerdict limits = CheckAnnotationLimits(annotations);
  if (limits != RequestVerdict::kAccepted) {
    return limits;
  }
  const auto fields = ParseAnnotations(annotations);
  return fields ? CompareAnnotations(*fields, key) : RequestVerdict::kInvalid;
}

// `annotations` with the value of `key` replaced.
std::vector<Annotation> With(std::vector<Annotation> annotations,
                             std::string_view key,
                             std::string_view value) {
  const auto found = std::ranges::find(annotations, key, &Annotation::key);
  EXPECT_NE(found, annotations.end());
  found->value = value;
  return annotations;
}

std::vector<AnnotationView> Without(std::vector<AnnotationView> annotations, std::string_view key) {
  std::erase_if(annotations, [key](const AnnotationView& view) { return view.key == key; });
  return annotations;
}

std::vector<Annotation> OfJson(const Json& object) {
  std::vector<Annotation> annotations;
  for (const auto& [key, value] : object.items()) {
    annotations.push_back({key, value.get<std::string>()});
  }
  return annotations;
}

TEST(AnnotationsTest, MatchesTheGoldenVector) {
  const auto golden = vectors::ReadJson("key-aad/golden-v1.json");
  const auto& expected = golden.at("expectedAnnotations");
  EXPECT_EQ(BuildAnnotations(GoldenKey(), "v0.1.0").value(), OfJson(expected));
}

TEST(AnnotationsTest, MatchesTheComputedVectors) {
  for (const auto& row : vectors::ReadJson("computed/key-aad-vectors.json")) {
    SCOPED_TRACE(row.at("name").get<std::string>());
    const auto& input = row.at("input");
    const auto key = BindKey(vectors::IdentityOf(input), vectors::VersionOf(input)).value();
    const auto& expected = row.at("annotations");
    EXPECT_EQ(BuildAnnotations(key, "v0.1.0").value(), OfJson(expected));
    EXPECT_EQ(Check(ViewsOf(OfJson(expected)), key), RequestVerdict::kAccepted);
  }
}

TEST(AnnotationsTest, RefusesThePublishedMalformedCases) {
  const auto rows = vectors::ReadJson("key-aad/malformed-annotations.json");
  ASSERT_EQ(rows.size(), 4U);
  for (const auto& row : rows) {
    SCOPED_TRACE(row.at("name").get<std::string>());
    const auto& annotations = row.at("annotations");
    EXPECT_EQ(Check(ViewsOf(OfJson(annotations)), GoldenKey()), RequestVerdict::kInvalid);
  }
}

TEST(AnnotationsTest, ParsesWhatItBuilds) {
  for (const KeyBinding& key : {GoldenKey(), NamespacedKey()}) {
    const auto built = BuildAnnotations(key, "0.0.0-dev").value();
    const auto fields = ParseAnnotations(ViewsOf(built)).value();
    EXPECT_EQ(fields.plugin_version, "0.0.0-dev");
    EXPECT_EQ(EncodeAnnotations(fields), built);
    EXPECT_EQ(Check(ViewsOf(built), key), RequestVerdict::kAccepted);
  }
}

TEST(AnnotationsTest, DoesNotBuildWithoutAPluginVersion) {
  EXPECT_FALSE(BuildAnnotations(GoldenKey(), "").has_value());
  EXPECT_FALSE(BuildAnnotations(GoldenKey(), "v\xFF").has_value());
}

TEST(AnnotationsTest, DoesNotCareForOrderPluginVersionOrUnknownKeys) {
  auto annotations = With(GoldenAnnotations(), kPluginVersionKey, "v9 of another program é");
  std::ranges::reverse(annotations);
  annotations.push_back({"example.org", ""});
  annotations.push_back({"1-a.b", "\x01"});
  EXPECT_EQ(Check(ViewsOf(annotations), GoldenKey()), RequestVerdict::kAccepted);
}

TEST(AnnotationsTest, RefusesAnEmptyMap) {
  EXPECT_EQ(Check({}, GoldenKey()), RequestVerdict::kInvalid);
}

TEST(AnnotationsTest, NeedsEveryKeyOnceAndEveryValue) {
  const auto annotations = GoldenAnnotations();
  for (const Annotation& annotation : annotations) {
    SCOPED_TRACE(annotation.key);
    auto views = Without(ViewsOf(annotations), annotation.key);
    EXPECT_EQ(Check(views, GoldenKey()), RequestVerdict::kInvalid);
    views.push_back({annotation.key, ""});
    EXPECT_EQ(Check(views, GoldenKey()), RequestVerdict::kInvalid);
    views = ViewsOf(annotations);
    views.push_back({annotation.key, annotation.value});
    EXPECT_EQ(Check(views, GoldenKey()), RequestVerdict::kInvalid);
  }
}

TEST(AnnotationsTest, ReportsAnotherHashAsMismatch) {
  const std::string other = HashText("something else");
  const auto built = BuildAnnotations(NamespacedKey(), "v1").value();
  for (const Annotation& annotation : built) {
    if (annotation.value.size() == kEncodedDigestBytes) {
      SCOPED_TRACE(annotation.key);
      const auto changed = With(built, annotation.key, other);
      EXPECT_EQ(Check(ViewsOf(changed), NamespacedKey()), RequestVerdict::kMismatch);
    }
  }
}

TEST(AnnotationsTest, ReportsAnotherVersionAsMismatch) {
  for (const std::string_view version : {"999", "1", "30", "9223372036854775807"}) {
    const auto changed = With(GoldenAnnotations(), "transit-key-version.kms.openbao.org", version);
    EXPECT_EQ(Check(ViewsOf(changed), GoldenKey()), RequestVerdict::kMismatch);
  }
}

TEST(AnnotationsTest, RefusesVersionsThatAreNotCanonical) {
  for (const std::string_view version :
       {"+3", "03", "0", "-3", "3 ", "3.0", "three", "9223372036854775808"}) {
    SCOPED_TRACE(version);
    const auto changed = With(GoldenAnnotations(), "transit-key-version.kms.openbao.org", version);
    EXPECT_EQ(Check(ViewsOf(changed), GoldenKey()), RequestVerdict::kInvalid);
  }
}

TEST(AnnotationsTest, WantsTheNamespaceHashExactlyWhenThereIsANamespace) {
  const auto with = BuildAnnotations(NamespacedKey(), "v1").value();
  EXPECT_EQ(Check(Without(ViewsOf(with), kNamespaceKey), NamespacedKey()),
            RequestVerdict::kMismatch);
  auto extra = GoldenAnnotations();
  extra.push_back({kNamespaceKey, HashText("admin/workload-a")});
  EXPECT_EQ(Check(ViewsOf(extra), GoldenKey()), RequestVerdict::kMismatch);
  extra.back().value.clear();
  EXPECT_EQ(Check(ViewsOf(extra), GoldenKey()), RequestVerdict::kInvalid);
  extra.back().value = "not-base64url-sha256";
  EXPECT_EQ(Check(ViewsOf(extra), GoldenKey()), RequestVerdict::kInvalid);
}

TEST(AnnotationsTest, ReportsAnotherKeyAsMismatch) {
  const auto other = BindKey(vectors::GoldenIdentity(), vectors::kSecondVersion).value();
  EXPECT_EQ(Check(ViewsOf(GoldenAnnotations()), other), RequestVerdict::kMismatch);
}

// Only the plugin version may change: it is free text that nothing compares.
TEST(AnnotationsTest, RefusesEveryBitFlipOfEveryValue) {
  const auto annotations = BuildAnnotations(NamespacedKey(), "v0.1.0").value();
  for (std::size_t i = 0; i < annotations.size(); ++i) {
    auto views = ViewsOf(annotations);
    const bool free_text = annotations[i].key == kPluginVersionKey;
    vectors::ForEachBitFlip(annotations[i].value, [&](std::string_view flipped, std::size_t bit) {
      views[i].value = flipped;
      const RequestVerdict verdict = Check(views, NamespacedKey());
      EXPECT_EQ(verdict == RequestVerdict::kAccepted, free_text && bit % 8 != 7)
          << annotations[i].key << " bit " << bit;
    });
  }
}

TEST(AnnotationsTest, RefusesEveryBitFlipOfEveryKey) {
  const auto annotations = BuildAnnotations(NamespacedKey(), "v0.1.0").value();
  for (std::size_t i = 0; i < annotations.size(); ++i) {
    auto views = ViewsOf(annotations);
    vectors::ForEachBitFlip(std::string(annotations[i].key),
                            [&](std::string_view flipped, std::size_t bit) {
                              views[i].key = flipped;
                              EXPECT_NE(Check(views, NamespacedKey()), RequestVerdict::kAccepted)
                                  << annotations[i].key << " bit " << bit;
                            });
  }
}

TEST(AnnotationsTest, RefusesEveryTruncation) {
  const auto annotations = BuildAnnotations(NamespacedKey(), "v").value();
  for (std::size_t i = 0; i < annotations.size(); ++i) {
    SCOPED_TRACE(annotations[i].key);
    const auto intact = ViewsOf(annotations);
    auto views = intact;
    vectors::ForEachTruncation(annotations[i].value, [&](std::string_view cut) {
      views[i].value = cut;
      EXPECT_NE(Check(views, NamespacedKey()), RequestVerdict::kAccepted) << cut.size();
    });
    views = intact;
    vectors::ForEachTruncation(annotations[i].key, [&](std::string_view cut) {
      views[i].key = cut;
      EXPECT_NE(Check(views, NamespacedKey()), RequestVerdict::kAccepted) << cut.size();
    });
  }
}

TEST(AnnotationsTest, ChecksTheFormOfEveryKey) {
  const std::string label(kMaxAnnotationLabelBytes, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  ASSERT_EQ(longest.size(), kMaxAnnotationKeyBytes);
  const auto with_key = [](std::string_view key) {
    const auto annotations = GoldenAnnotations();
    auto views = ViewsOf(annotations);
    views.push_back({key, "x"});
    return Check(views, GoldenKey());
  };
  EXPECT_EQ(with_key(longest), RequestVerdict::kAccepted);
  for (const std::string& key :
       {std::string(), longest + "a", label + "a.b", std::string("nodot"), std::string("."),
        std::string("a."), std::string(".a"), std::string("a..b"), std::string("-a.b"),
        std::string("a-.b"), std::string("a.b-"), std::string("A.b"), std::string("a/b.c"),
        std::string("a_b.c"), std::string("a b.c"), std::string("é.a"), std::string("a.b\0", 4)}) {
    SCOPED_TRACE(key);
    EXPECT_EQ(with_key(key), RequestVerdict::kInvalid);
  }
}

TEST(AnnotationsTest, ChecksEncodingBeforeSizeAndSizeBeforeAnythingElse) {
  const std::string text(kMaxAnnotationsBytes - 1, 'x');
  EXPECT_EQ(CheckAnnotationLimits(std::vector<AnnotationView>{{"a", text}}),
            RequestVerdict::kAccepted);
  EXPECT_EQ(CheckAnnotationLimits(std::vector<AnnotationView>{{"ab", text}}),
            RequestVerdict::kLimit);
  EXPECT_EQ(CheckAnnotationLimits(std::vector<AnnotationView>{{"ab", text}, {"a", "\xFF"}}),
            RequestVerdict::kInvalid);
  EXPECT_EQ(CheckAnnotationLimits(std::vector<AnnotationView>{{"\xFF", ""}}),
            RequestVerdict::kInvalid);
  EXPECT_EQ(CheckAnnotationLimits({}), RequestVerdict::kAccepted);
}

TEST(AnnotationsTest, AcceptsRequestsUpToEachLimit) {
  const std::string text(1024, 'x');
  const std::string_view most = std::string_view(text).substr(1);
  const std::string value(kMaxAnnotationsBytes, 'x');
  const std::vector<AnnotationView> fitting{{"", value}};
  EXPECT_EQ(CheckSealedLimits(most, most, fitting), RequestVerdict::kAccepted);
  EXPECT_EQ(CheckSealedLimits(text, most, fitting), RequestVerdict::kLimit);
  EXPECT_EQ(CheckSealedLimits(most, text, fitting), RequestVerdict::kLimit);
  const std::vector<AnnotationView> larger{{"a", value}};
  EXPECT_EQ(CheckSealedLimits(most, most, larger), RequestVerdict::kLimit);
}

TEST(AnnotationsTest, ReportsSizesBeforeBrokenAnnotations) {
  const std::string text(1024, 'x');
  const std::vector<AnnotationView> broken{{"a", "\xFF"}};
  EXPECT_EQ(CheckSealedLimits(text, "", broken), RequestVerdict::kLimit);
  EXPECT_EQ(CheckSealedLimits("", text, broken), RequestVerdict::kLimit);
  EXPECT_EQ(CheckSealedLimits("", "", broken), RequestVerdict::kInvalid);
}

}  // namespace
}  // namespace baokms::contract
