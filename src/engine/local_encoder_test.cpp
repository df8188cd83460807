#include "engine/local_encoder.h"

#include <cmath>
#include <fstream>
#include <numeric>

#include "engine/local_embedder.h"
#include "engine/testing/fixture.h"
#include "engine/testing/tiny_encoder_adapter.h"
#include "engine/wordpiece.h"

namespace loam::engine {
namespace {

using testing::TinyEncoderAdapter;

constexpr int kPositions = 128;

std::shared_ptr<LocalModel> tiny_bert() {
  static const std::shared_ptr<LocalModel> model = [] {
    const auto path = testing::scratch_folder() / "tiny_bert.gguf";
    EXPECT_TRUE(testing::write_tiny_embedder(path, {1, 64, 2, kPositions}).ok());
    auto opened = LocalModel::open(path);
    EXPECT_TRUE(opened.ok()) << (opened ? "" : opened.error().line());
    return opened ? *opened : nullptr;
  }();
  return model;
}

std::filesystem::path adapter_file(const std::string& name, const TinyEncoderAdapter& adapter) {
  const auto path = testing::scratch_folder() / (name + ".gguf");
  const auto written = testing::write_tiny_encoder_adapter(path, adapter);
  EXPECT_TRUE(written.ok()) << (written ? "" : written.error().line());
  return path;
}

TinyEncoderAdapter of_kind(const std::string& kind) {
  TinyEncoderAdapter adapter;
  adapter.kind = kind;
  return adapter;
}

std::unique_ptr<LocalReranker> reranker(const TinyEncoderAdapter& adapter = of_kind("reranker"),
                                        LocalEncoderOptions options = {}) {
  options.threads = 1;
  auto opened = LocalReranker::open(tiny_bert(), adapter_file("reranker", adapter), options);
  EXPECT_TRUE(opened.ok()) << (opened ? "" : opened.error().line());
  return opened ? *std::move(opened) : nullptr;
}

std::unique_ptr<LocalSpanReader> reader(const TinyEncoderAdapter& adapter = of_kind("reader"),
                                        LocalEncoderOptions options = {}) {
  options.threads = 1;
  auto opened = LocalSpanReader::open(tiny_bert(), adapter_file("reader", adapter), options);
  EXPECT_TRUE(opened.ok()) << (opened ? "" : opened.error().line());
  return opened ? *std::move(opened) : nullptr;
}

const std::vector<std::string> kPassages = {
    "the notice of the contract is 30 days", "the price of the pump", "",
    "staff pay is in the manual and the leave of the year is 28 days", "salad"};

TEST(local_encoder, states_pooled_and_scaled_are_the_embedders_vectors) {
  auto encoder = LocalEncoder::open(tiny_bert(), {}, {1, 0, 0});
  ASSERT_TRUE(encoder.ok()) << encoder.error().line();
  auto embedder = LocalEmbedder::open(tiny_bert(), {1, 0, 0, {}, {}});
  ASSERT_TRUE(embedder.ok());
  const auto wordpiece = WordPiece::of(*tiny_bert());
  const std::vector<std::string> texts = {"the cat", "notice of the contract to the staff", "a"};
  std::vector<std::vector<Token>> sequences;
  for (const std::string& text : texts) sequences.push_back(wordpiece->encode(text));
  const auto vectors = (*embedder)->embed(texts);
  ASSERT_TRUE(vectors.ok());
  const auto width = static_cast<std::size_t>((*encoder)->dimensions());
  std::size_t seen = 0;
  const auto read = (*encoder)->read(sequences, [&](std::size_t which, std::span<const float> states) {
    ++seen;
    ASSERT_EQ(states.size(), sequences[which].size() * width);
    std::vector<float> mean(width);
    for (std::size_t i = 0; i < states.size(); ++i) mean[i % width] += states[i];
    const float length = std::sqrt(std::inner_product(mean.begin(), mean.end(), mean.begin(), 0.0F));
    for (std::size_t i = 0; i < width; ++i)
      EXPECT_NEAR(mean[i] / length, (*vectors)[which * width + i], 1e-4F) << texts[which];
  });
  ASSERT_TRUE(read.ok()) << read.error().line();
  EXPECT_EQ(seen, texts.size());
}

// proves P-ENG-40
TEST(local_encoder, a_long_passage_is_read_in_windows_that_leave_no_token_out) {
  auto encoder = LocalEncoder::open(tiny_bert(), {}, {1, 32, 0});
  ASSERT_TRUE(encoder.ok()) << encoder.error().line();
  std::string text;
  for (int i = 0; i < 60; ++i) text += (i > 0 ? " " : "") + std::string("cat");
  const std::vector<std::string_view> passages = {"dog", text, ""};
  const auto windows = (*encoder)->windows("the price", passages);
  ASSERT_TRUE(windows.ok()) << windows.error().line();
  std::vector<int> read(text.size());
  std::size_t of_long = 0, of_empty = 0;
  for (const PairWindow& window : *windows) {
    EXPECT_LE(window.tokens.size(), 32U);
    EXPECT_EQ(window.tokens.size(), window.first + window.spans.size() + 1);
    EXPECT_EQ(window.first, 4U);  // [CLS] the price [SEP]
    of_empty += window.passage == 2 ? 1 : 0;
    if (window.passage != 1) continue;
    ++of_long;
    for (const Span span : window.spans) {
      EXPECT_EQ(slice(text, span), "cat");
      ++read[span.start];
    }
  }
  EXPECT_GT(of_long, 2U);
  EXPECT_EQ(of_empty, 1U);
  int twice = 0;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    EXPECT_GE(read[i], 1) << "the word at byte " << i;
    twice += read[i] > 1 ? 1 : 0;
  }
  EXPECT_GT(twice, 10);  // what stands at the edge of one window stands inside another
}

// proves P-ENG-40
TEST(local_encoder, a_question_that_leaves_no_room_is_refused_with_both_numbers) {
  auto encoder = LocalEncoder::open(tiny_bert(), {}, {1, 32, 0});
  ASSERT_TRUE(encoder.ok());
  std::string question;
  for (int i = 0; i < 14; ++i) question += "cat ";
  const std::vector<std::string_view> passages = {"dog"};
  const auto windows = (*encoder)->windows(question, passages);
  ASSERT_FALSE(windows.ok());
  EXPECT_EQ(windows.error().kind, Kind::bad_request);
  EXPECT_NE(windows.error().message.find("14"), std::string::npos) << windows.error().line();
  EXPECT_NE(windows.error().message.find("13"), std::string::npos) << windows.error().line();
}

TEST(local_encoder, a_model_of_another_kind_is_refused) {
  const auto opened = LocalEncoder::open(testing::tiny_model(), {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, Kind::bad_request);
  EXPECT_NE(opened.error().message.find("llama"), std::string::npos);
  EXPECT_FALSE(LocalEncoder::open(tiny_bert(), {}, {1, kPositions + 1, 0}).ok());
}

// proves P-ENG-41
TEST(local_encoder, scores_do_not_depend_on_company_and_follow_the_adapter) {
  const auto one = reranker();
  const auto together = one->score("the notice", kPassages);
  ASSERT_TRUE(together.ok()) << together.error().line();
  ASSERT_EQ(together->size(), kPassages.size());
  for (std::size_t i = 0; i < kPassages.size(); ++i) {
    const auto alone = one->score("the notice", std::vector<std::string>{kPassages[i]});
    ASSERT_TRUE(alone.ok());
    EXPECT_NEAR((*together)[i], alone->front(), 1e-2F) << kPassages[i];
  }
  EXPECT_EQ(*one->score("the notice", kPassages), *together);
  EXPECT_NE(*one->score("the price", kPassages), *together);
  TinyEncoderAdapter unchanged = of_kind("reranker");
  unchanged.spread = 0;
  const auto plain = reranker(unchanged);
  EXPECT_GT(std::abs(plain->score("the notice", kPassages)->front() - together->front()), 1e-3F);
  EXPECT_NE(plain->fingerprint(), one->fingerprint());
  EXPECT_EQ(one->model_name(), "reranker");
  EXPECT_TRUE(one->score("the notice", {})->empty());
}

TEST(local_encoder, the_best_window_of_a_long_passage_counts) {
  const auto narrow = reranker(of_kind("reranker"), {1, 32, 0});
  std::string text;
  for (int i = 0; i < 60; ++i) text += "cat ";
  const auto whole = narrow->score("the price", std::vector<std::string>{text});
  ASSERT_TRUE(whole.ok());
  auto encoder = LocalEncoder::open(tiny_bert(), {}, {1, 32, 0});
  const std::vector<std::string_view> passages = {text};
  const auto windows = (*encoder)->windows("the price", passages);
  float best = -INFINITY;
  for (const PairWindow& window : *windows) {
    const Span part = {window.spans.front().start, window.spans.back().end};
    best = std::max(
        best, narrow->score("the price", std::vector<std::string>{std::string(slice(text, part))})->front());
  }
  EXPECT_NEAR(whole->front(), best, 1e-2F);  // attention rounds to half precision, by batch shape
}

// proves P-ENG-42
TEST(local_encoder, spans_are_whole_words_apart_from_each_other_and_best_first) {
  const auto one = reader();
  std::vector<PassageToRead> passages;
  for (const std::string& text : kPassages) passages.push_back({text, 0});
  const auto read = one->read("the notice", passages, 3);
  ASSERT_TRUE(read.ok()) << read.error().line();
  ASSERT_EQ(read->size(), passages.size());
  EXPECT_TRUE((*read)[2].empty());
  for (std::size_t p = 0; p < passages.size(); ++p) {
    const std::string& text = passages[p].text;
    EXPECT_EQ((*read)[p].empty(), text.empty());
    EXPECT_LE((*read)[p].size(), 3U);
    for (std::size_t i = 0; i < (*read)[p].size(); ++i) {
      const AnswerSpan& span = (*read)[p][i];
      ASSERT_LT(span.span.start, span.span.end);
      ASSERT_LE(span.span.end, text.size());
      EXPECT_TRUE(span.span.start == 0 || text[span.span.start - 1] == ' ') << text;
      EXPECT_TRUE(span.span.end == text.size() || text[span.span.end] == ' ') << text;
      for (std::size_t j = 0; j < i; ++j) {
        EXPECT_FALSE(span.span.overlaps((*read)[p][j].span));
        EXPECT_GE((*read)[p][j].score, span.score);
      }
    }
  }
}

// proves P-ENG-42
TEST(local_encoder, a_heading_is_read_but_never_the_answer) {
  const auto one = reader();
  const std::string heading = "leave of the staff\n";
  const std::string text = heading + "30 days in the year";
  const auto read = one->read("the notice", std::vector<PassageToRead>{{text, heading.size()}}, 20);
  ASSERT_TRUE(read.ok());
  ASSERT_FALSE(read->front().empty());
  for (const AnswerSpan& span : read->front()) EXPECT_GE(span.span.start, heading.size());
  const auto without = one->read("the notice", std::vector<PassageToRead>{{text.substr(heading.size()), 0}});
  EXPECT_NE(without->front().front().score, read->front().front().score);
}

TEST(local_encoder, the_score_of_no_answer_is_taken_off) {
  TinyEncoderAdapter silent = of_kind("reader");
  const std::vector<PassageToRead> passages = {{kPassages[0], 0}};
  const auto before = reader(silent)->read("the notice", passages);
  silent.no_answer_bias = 2.5F;
  const auto after = reader(silent)->read("the notice", passages);
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_EQ(before->front().front().span, after->front().front().span);
  EXPECT_NEAR(before->front().front().score - after->front().front().score, 2.5F, 1e-4F);
}

TEST(local_encoder, hostile_text_is_read_like_any_other) {
  const auto one = reader();
  const std::string odd =
      "\xFF\xFE[CLS][SEP] \xED\x95\x9C\xEA\xB8\x80 \xCC\x81\xCC\x81 a\x00 b\xE2\x80\x8B end" +
      std::string(9000, 'x');
  const auto read =
      one->read("\xF0\x9F\x98\x80 [SEP]?", std::vector<PassageToRead>{{odd, 0}, {"\xFF", 0}, {odd, 99999}});
  ASSERT_TRUE(read.ok()) << read.error().line();
  for (const AnswerSpan& span : (*read)[0]) EXPECT_LE(span.span.end, odd.size());
  EXPECT_TRUE((*read)[2].empty());
}

// proves P-ENG-43
TEST(local_encoder, an_adapter_for_another_model_is_refused_and_both_are_named) {
  TinyEncoderAdapter foreign = of_kind("reader");
  foreign.base_name = "other-encoder";
  foreign.base_identity = std::string(64, 'a');
  const auto refused = LocalSpanReader::open(tiny_bert(), adapter_file("foreign", foreign));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, Kind::bad_request);
  EXPECT_NE(refused.error().message.find("other-encoder"), std::string::npos) << refused.error().line();
  EXPECT_NE(refused.error().message.find("tiny_bert"), std::string::npos) << refused.error().line();
  foreign.base_identity = *tiny_bert()->identity();
  EXPECT_TRUE(LocalSpanReader::open(tiny_bert(), adapter_file("own", foreign)).ok());
}

TEST(local_encoder, a_head_of_another_kind_is_refused) {
  const auto path = adapter_file("kinds", of_kind("reader"));
  const auto refused = LocalReranker::open(tiny_bert(), path);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("reader"), std::string::npos);
  EXPECT_FALSE(LocalSpanReader::open(tiny_bert(), adapter_file("kinds", of_kind("reranker"))).ok());
}

// proves P-ENG-43
TEST(local_encoder, a_damaged_head_is_refused_by_name) {
  const auto refused = [](const TinyEncoderAdapter& adapter, std::string_view key) {
    const auto read = read_encoder_head(adapter_file("damaged", adapter), "bert", 64);
    ASSERT_FALSE(read.ok()) << key;
    EXPECT_EQ(read.error().kind, Kind::bad_data);
    EXPECT_NE(read.error().message.find(key), std::string::npos) << read.error().line();
  };
  TinyEncoderAdapter adapter = of_kind("oracle");
  refused(adapter, "loam.head.kind");
  adapter = of_kind("reranker");
  adapter.weight.assign(63, 1.0F);
  refused(adapter, "loam.head.weight");
  adapter.weight.assign(64, 1.0F);
  adapter.weight[5] = NAN;
  refused(adapter, "loam.head.weight");
  adapter = of_kind("reranker");
  adapter.bias = {1, 2};
  refused(adapter, "loam.head.bias");
  adapter.bias = {INFINITY};
  refused(adapter, "loam.head.bias");
  adapter = of_kind("reader");
  adapter.pooling = "mean";
  refused(adapter, "loam.head.pooling");
  adapter = of_kind("reader");
  adapter.no_answer_bias = NAN;
  refused(adapter, "loam.head.no_answer_bias");
  refused(of_kind("classifier"), "loam.head.labels");
  adapter = of_kind("reranker");
  EXPECT_FALSE(read_encoder_head(adapter_file("other_width", adapter), "bert", 384).ok());
  EXPECT_FALSE(read_encoder_head(testing::scratch_folder() / "absent.gguf", "bert", 64).ok());
}

// proves P-ENG-44
TEST(local_encoder, an_embedder_with_an_adapter_has_other_vectors_and_another_fingerprint) {
  const auto open = [](const std::filesystem::path& adapter) {
    LocalEmbedderOptions options;
    options.threads = 1;
    options.adapter = adapter;
    return LocalEmbedder::open(tiny_bert(), options);
  };
  const std::vector<std::string> texts = {"the notice of the contract"};
  const auto plain = open({});
  const auto adapted = open(adapter_file("embedder_a", of_kind("embedder")));
  ASSERT_TRUE(plain.ok() && adapted.ok()) << adapted.error().line();
  TinyEncoderAdapter cls = of_kind("embedder");
  cls.pooling = "cls";
  const auto first_token = open(adapter_file("embedder_b", cls));
  ASSERT_TRUE(first_token.ok());
  EXPECT_NE(*(*plain)->embed(texts), *(*adapted)->embed(texts));
  EXPECT_NE(*(*first_token)->embed(texts), *(*adapted)->embed(texts));
  EXPECT_NE((*plain)->fingerprint(), (*adapted)->fingerprint());
  EXPECT_NE((*first_token)->fingerprint(), (*adapted)->fingerprint());
  EXPECT_EQ((*adapted)->model_name(), "tiny_bert+embedder_a");
  // An adapter of zeros changes no vector, and still counts as another embedder.
  TinyEncoderAdapter zero = of_kind("embedder");
  zero.spread = 0;
  const auto same = open(adapter_file("embedder_c", zero));
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(*(*plain)->embed(texts), *(*same)->embed(texts));
  EXPECT_FALSE(open(adapter_file("embedder_d", of_kind("reader"))).ok());
}

TEST(local_encoder, a_classifier_has_a_row_for_each_label) {
  TinyEncoderAdapter adapter = of_kind("classifier");
  adapter.labels = {"billing", "travel", "other"};
  const auto head = read_encoder_head(adapter_file("classifier", adapter), "bert", 64);
  ASSERT_TRUE(head.ok()) << head.error().line();
  EXPECT_EQ(head->rows, 3U);
  EXPECT_EQ(head->weight.size(), 3U * 64U);
  EXPECT_EQ(head->labels, adapter.labels);
  EXPECT_EQ(head->input, HeadInput::text);
}

// proves P-ENG-43
TEST(local_encoder, a_file_cut_short_anywhere_is_refused) {
  const auto path = adapter_file("whole", of_kind("reader"));
  std::ifstream in(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  const auto part = testing::scratch_folder() / "part.gguf";
  for (std::size_t size = 0; size < bytes.size(); size += 97) {
    std::ofstream(part, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(size));
    EXPECT_FALSE(read_encoder_head(part, "bert", 64).ok()) << size << " of " << bytes.size();
  }
}

}  // namespace
}  // namespace loam::engine
