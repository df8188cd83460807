#include <gtest/gtest.h>

#include <cmath>

#include "baseline/extractive.h"
#include "baseline/features.h"
#include "baseline/words.h"

namespace loam::baseline {
namespace {

class WordEmbedder : public engine::Embedder {
 public:
  const std::string& model_name() const override { return name_; }
  const std::string& fingerprint() const override { return name_; }
  int dimensions() const override { return 64; }
  int max_tokens() const override { return 256; }
  Result<int> count_tokens(std::string_view text) override {
    return static_cast<int>(words_of(text).size()) + 2;
  }
  Result<std::vector<float>> embed(std::span<const std::string> texts) override {
    ++calls;
    std::vector<float> all;
    for (const std::string& text : texts) {
      std::vector<float> vector(64, 0.001F);
      for (const Word& word : words_of(text)) {
        if (!word.stop) vector[std::hash<std::string>{}(word.stem) % 64] += 1.0F;
      }
      float length = 0;
      for (const float value : vector) length += value * value;
      for (float& value : vector) value /= std::sqrt(length);
      all.insert(all.end(), vector.begin(), vector.end());
    }
    return all;
  }
  int calls = 0;

 private:
  std::string name_ = "words";
};

std::vector<Hit> handbook() {
  std::vector<Hit> hits;
  for (const char* text :
       {"Employees receive 28 days of paid leave per year. Leave is requested from the line manager.",
        "The canteen opens at 11:30. Lunch costs 4.50 EUR. Guests pay more.",
        "The head office is in Hamburg. It was founded by Anna Schmidt in 1987."}) {
    Hit hit;
    hit.passage.text = text;
    hit.passage.span = {500, 500 + hit.passage.text.size()};
    hit.why.cosine = 0.5F;
    hit.why.bm25 = 4.0F;
    hits.push_back(std::move(hit));
  }
  return hits;
}

ExtractiveAnswer answer_to(const std::string& question, const std::vector<Hit>& hits = handbook()) {
  WordEmbedder embedder;
  std::vector<std::string> terms;
  for (const Word& word : words_of(question)) {
    if (!word.stop) terms.push_back(word.lower);
  }
  const auto found = answer(embedder, question, hits, terms, std::vector<float>(terms.size(), 3.0F));
  EXPECT_TRUE(found.ok());
  EXPECT_LE(embedder.calls, 1) << "one batched call";
  return found.ok() ? *found : ExtractiveAnswer{};
}

// proves P-BASE-01
TEST(Baseline, chooses_the_sentence_that_answers_and_points_at_its_bytes) {
  const std::vector<Hit> hits = handbook();
  for (const auto& [question, expected] : std::vector<std::pair<std::string, std::string>>{
           {"How many days of paid leave do employees receive?",
            "Employees receive 28 days of paid leave per year."},
           {"What does lunch cost?", "Lunch costs 4.50 EUR."},
           {"When does the canteen open?", "The canteen opens at 11:30."},
           {"Where is the head office?", "The head office is in Hamburg."},
           {"Who was it founded by?", "It was founded by Anna Schmidt in 1987."}}) {
    const ExtractiveAnswer found = answer_to(question);
    ASSERT_FALSE(found.sentences.empty()) << question;
    EXPECT_EQ(found.sentences[0].text, expected) << question;
    for (const ScoredSentence& sentence : found.sentences) {
      EXPECT_EQ(hits[sentence.hit].passage.text.substr(sentence.span.start - 500, sentence.span.size()),
                sentence.text);
    }
  }
}

// proves P-BASE-02
TEST(Baseline, a_missing_key_term_name_or_number_lowers_the_confidence) {
  const float there = answer_to("What does lunch cost?").confidence;
  EXPECT_GE(there, 0.3F);
  EXPECT_LT(answer_to("What does parking cost?").confidence, 0.3F);
  EXPECT_LT(answer_to("Who is the president of Mexico?").confidence, 0.3F);
  EXPECT_LT(answer_to("Where is the Bremen office?").confidence,
            answer_to("Where is the Hamburg office?").confidence);
}

TEST(Baseline, nothing_in_gives_nothing_out) {
  EXPECT_TRUE(answer_to("What does lunch cost?", {}).sentences.empty());
  EXPECT_EQ(answer_to("What does lunch cost?", {}).confidence, 0.0F);
  EXPECT_TRUE(answer_to("???").sentences.empty());
  EXPECT_FALSE(answer_to("Is it?").sentences.size() > 2);
}

TEST(Words, inflections_meet_and_different_things_do_not) {
  EXPECT_EQ(stem_of("charges"), stem_of("charged"));
  EXPECT_EQ(stem_of("terminating"), stem_of("terminate"));
  EXPECT_EQ(stem_of("parties"), stem_of("party"));
  EXPECT_EQ(stem_of("paid"), stem_of("pays"));
  EXPECT_EQ(stem_of("boxes"), stem_of("box"));
  EXPECT_NE(stem_of("employer"), stem_of("employee"));
  EXPECT_NE(stem_of("landlord"), stem_of("land"));
}

TEST(AnswerType, is_read_off_the_question_word) {
  EXPECT_EQ(answer_type_of("How much does it cost?"), AnswerType::money);
  EXPECT_EQ(answer_type_of("How many people?"), AnswerType::number);
  EXPECT_EQ(answer_type_of("How long is the leave?"), AnswerType::duration);
  EXPECT_EQ(answer_type_of("In which year did it start?"), AnswerType::date);
  EXPECT_EQ(answer_type_of("Who approves travel?"), AnswerType::name);
  EXPECT_EQ(answer_type_of("What percentage of faults?"), AnswerType::percent);
  EXPECT_EQ(answer_type_of("What is a pump?"), AnswerType::any);
  EXPECT_EQ(answer_type_of("What does the big old coffee machine in the hall cost?"), AnswerType::money);
  EXPECT_FALSE(holds_answer_of(AnswerType::number, "In 2024 it was so.", "How many in 2024?"));
}

TEST(AnswerType, digits_alone_are_not_every_kind_of_answer) {
  const auto holds = [](AnswerType type, std::string_view text) {
    return holds_answer_of(type, text, "How and when was the firm founded?");
  };
  EXPECT_FALSE(holds(AnswerType::number, "We answer from 08:30 to 17:30 at 0113 496 0150."));
  EXPECT_TRUE(holds(AnswerType::number, "It serves 496 customers."));
  EXPECT_TRUE(holds(AnswerType::number, "It draws 0.4 watts."));
  EXPECT_TRUE(holds(AnswerType::number, "The grinder has seven settings."));
  EXPECT_FALSE(holds(AnswerType::date, "14 Tannery Row, Leeds, and 3 Quay Street, Hull"));
  for (const char* date : {"It began in 1987.", "on 1 April", "It opens at 11:30.", "01/02/2023", "at 5 pm",
                           "in the 1980s", "On Fridays.", "18 months after the last purchase", "in May"}) {
    EXPECT_TRUE(holds(AnswerType::date, date)) << date;
  }
  EXPECT_FALSE(holds(AnswerType::duration, "The bonus is 750 pounds."));
  EXPECT_TRUE(holds(AnswerType::duration, "The probation period lasts six months."));
  EXPECT_TRUE(holds(AnswerType::duration, "Twice."));
  EXPECT_FALSE(holds(AnswerType::number, "Last changed on 3 February 2025."));
  EXPECT_EQ(answer_type_of("How often must it be cleaned?"), AnswerType::frequency);
  EXPECT_FALSE(holds(AnswerType::frequency, "It makes no coffee until the rinse of 13 minutes is complete."));
  for (const char* text :
       {"at least once every six months", "Every day.", "three times a year", "It is done weekly."}) {
    EXPECT_TRUE(holds(AnswerType::frequency, text)) << text;
  }
  EXPECT_TRUE(holds(AnswerType::money, "Article: Filter paper | Price: 3.20"));
  EXPECT_FALSE(holds(AnswerType::money, "Gift subscriptions run for three, six or twelve months."));
  const std::string hot = "How hot does the spout get?";
  EXPECT_FALSE(holds_answer_of(AnswerType::number, "It rinses with 300 millilitres.", hot));
  EXPECT_TRUE(holds_answer_of(AnswerType::number, "It reaches 96 degrees.", hot));
  EXPECT_TRUE(holds_answer_of(AnswerType::number, "It reaches 96 \u00B0C.", hot));
}

TEST(Baseline, a_sentence_with_the_measure_asked_for_wins_over_one_as_near_without_it) {
  std::vector<Hit> hits = handbook();
  hits[0].passage.text =
      "After a power cut it makes no coffee until the machine is rinsed, so that no descaling liquid gets "
      "into a cup. "
      "The machine asks for descaling by itself. It must be done at least once every six months.";
  hits[0].passage.span = {500, 500 + hits[0].passage.text.size()};
  EXPECT_EQ(answer_to("How often must the coffee machine be descaled?", hits).sentences.at(0).text,
            "It must be done at least once every six months.");
}

TEST(Baseline, a_price_that_no_sentence_gives_is_not_made_up_for_by_near_words) {
  std::vector<Hit> hits = handbook();
  hits[0].passage.text = "Gift subscriptions run for three, six or twelve months and end by themselves.";
  hits[0].passage.span = {500, 500 + hits[0].passage.text.size()};
  EXPECT_LT(answer_to("What does a gift subscription for six months cost?", hits).confidence, 0.3F);
}

// A sentence is read with what it goes on from.
TEST(Baseline, titles_questions_and_pronouns_carry_their_words_to_what_follows) {
  std::vector<Hit> hits;
  for (const char* text :
       {"Error E07\n\nThe brew group is missing.\n\nError E11\n\nThe sensor reports a wrong value.",
        "How long is the warranty?\n\nMachines have one of 24 months.",
        "The machine asks for descaling by itself. It must be done at least once every six months."}) {
    Hit hit;
    hit.passage.text = text;
    hit.passage.span = {500, 500 + hit.passage.text.size()};
    hit.why.cosine = 0.5F;
    hit.why.bm25 = 4.0F;
    hits.push_back(std::move(hit));
  }
  for (const auto& [question, expected] : std::vector<std::pair<std::string, std::string>>{
           {"What does error E07 mean?", "The brew group is missing."},
           {"What does error E11 mean?", "The sensor reports a wrong value."},
           {"How long is the warranty?", "Machines have one of 24 months."},
           {"How often is descaling done?", "It must be done at least once every six months."}}) {
    const ExtractiveAnswer found = answer_to(question, hits);
    ASSERT_FALSE(found.sentences.empty()) << question;
    EXPECT_EQ(found.sentences[0].text, expected) << question;
  }
}

TEST(Baseline, another_number_of_the_same_thing_is_another_case) {
  std::vector<Hit> hits = handbook();
  hits[0].passage.text =
      "A gift for three months costs 54 pounds. A gift for twelve months costs 204 pounds.";
  hits[0].passage.span = {500, 500 + hits[0].passage.text.size()};
  EXPECT_EQ(answer_to("What does a gift for twelve months cost?", hits).sentences.at(0).text,
            "A gift for twelve months costs 204 pounds.");
  EXPECT_LT(answer_to("What does a gift for six months cost?", hits).confidence,
            answer_to("What does a gift for twelve months cost?", hits).confidence - 0.2F);
}

/// Knows one answer: wherever the words stand, they are it; elsewhere it would rather say nothing.
class WordReader : public engine::SpanReader {
 public:
  explicit WordReader(std::string answer) : answer_(std::move(answer)) {}
  const std::string& model_name() const override { return answer_; }
  const std::string& fingerprint() const override { return answer_; }
  Result<std::vector<std::vector<engine::AnswerSpan>>> read(std::string_view,
                                                            std::span<const engine::PassageToRead> passages,
                                                            int) override {
    ++calls;
    std::vector<std::vector<engine::AnswerSpan>> all;
    for (const engine::PassageToRead& passage : passages) {
      const std::size_t at = passage.text.find(answer_, passage.answers_from);
      const std::size_t end = passage.text.find(' ', passage.answers_from);
      std::vector<engine::AnswerSpan> spans;
      if (at != std::string::npos)
        spans.push_back({{at, at + answer_.size()}, 8.0F});
      else
        spans.push_back({{passage.answers_from, end}, -8.0F});
      all.push_back(std::move(spans));
    }
    return all;
  }
  int calls = 0;

 private:
  std::string answer_;
};

ExtractiveAnswer read_answer_to(const std::string& question, engine::SpanReader& reader,
                                std::vector<Hit> hits = handbook()) {
  WordEmbedder embedder;
  std::vector<std::string> terms;
  for (const Word& word : words_of(question)) {
    if (!word.stop) terms.push_back(word.lower);
  }
  ExtractiveOptions options;
  options.reader = &reader;
  const auto found = answer(embedder, question, hits, terms, std::vector<float>(terms.size(), 3.0F), options);
  EXPECT_TRUE(found.ok());
  return found.ok() ? *found : ExtractiveAnswer{};
}

// proves P-BASE-40
TEST(Baseline, a_reader_leads_to_its_sentence_and_names_the_words) {
  std::vector<Hit> hits = handbook();
  hits[1].passage.heading_path = "Handbook > Guests pay more";  // what a heading says is no answer
  WordReader reader("Guests pay more");
  const std::string question = "What does lunch cost?";
  const ExtractiveAnswer without = answer_to(question, hits);
  const ExtractiveAnswer with = read_answer_to(question, reader, hits);
  ASSERT_FALSE(without.sentences.empty());
  ASSERT_FALSE(with.sentences.empty());
  EXPECT_EQ(reader.calls, 1);
  EXPECT_EQ(without.sentences.front().text, "Lunch costs 4.50 EUR.");
  EXPECT_FALSE(without.sentences.front().short_answer);
  const ScoredSentence& best = with.sentences.front();
  EXPECT_EQ(best.text, "Guests pay more.");
  ASSERT_TRUE(best.short_answer);
  EXPECT_TRUE(best.span.contains(*best.short_answer));
  const Passage& passage = hits[best.hit].passage;
  const Span local = {best.short_answer->start - passage.span.start,
                      best.short_answer->end - passage.span.start};
  EXPECT_EQ(slice(passage.text, local), "Guests pay more");
}

// proves P-BASE-41
TEST(Baseline, a_reader_that_finds_nothing_lowers_the_confidence) {
  WordReader knows("28 days"), knows_not("no such words");
  const std::string question = "How many days of paid leave do employees receive?";
  const ExtractiveAnswer sure = read_answer_to(question, knows);
  const ExtractiveAnswer unsure = read_answer_to(question, knows_not);
  EXPECT_GT(sure.confidence, unsure.confidence + 0.2F);
  EXPECT_EQ(sure.sentences.front().text, "Employees receive 28 days of paid leave per year.");
  EXPECT_EQ(read_answer_to(question, knows).confidence, sure.confidence);
}

}  // namespace
}  // namespace loam::baseline
