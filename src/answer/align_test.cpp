#include "answer/align.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "answer/align_cases.h"
#include "answer/numbers.h"
#include "passage/cutter.h"

namespace loam::answer {
namespace {

std::vector<Hit> shown(std::string text, std::string heading = "", std::size_t offset = 1000) {
  Hit hit;
  hit.source = "doc.md";
  hit.passage.span = {offset, offset + text.size()};
  hit.passage.text = std::move(text);
  hit.passage.heading_path = std::move(heading);
  return {hit};
}

TEST(NormalNumbers, come_out_in_one_form_whatever_the_convention) {
  const auto is = [](std::string_view text, std::vector<std::string> values) {
    EXPECT_EQ(normal_numbers(text), values) << text;
  };
  is("1,200.50 and 1.200,50 and 1'200.50 and 1200.5", {"1200.5", "1200.5", "1200.5", "1200.5"});
  is("3 March 2024, March 3, 2024, 03.03.2024, 2024-03-03, 3rd of March 2024, Mar. 3rd 2024, 3. März 2024",
     std::vector<std::string>(7, "2024-03-03"));
  is("fourteen", {"14"});
  is("twenty-one, one hundred and five, two thousand three hundred, three million",
     {"21", "105", "2300", "3000000"});
  is("1.5 million", {"1500000"});
  is("14% and 14 per cent and fourteen percent", {"14%", "14%", "14%"});
  is("2:30 pm, 14:30, 8 am, 2 p.m.", {"14:30", "14:30", "08:00", "14:00"});
  is("the third and the 3rd and twenty-first", {"#3", "#3", "#21"});
  is("31/12/2024 and 12/31/2024", {"2024-12-31", "2024-12-31"});
  is("2½ hours", {"2.5"});
  is("1\u00A0200 EUR", {"1200"});
  is("from -5 to -10 °C", {"-5", "-10"});
  is("0,5 l", {"0.5"});
  is("1.234.567,89", {"1234567.89"});
  is("May 2024", {"2024-05"});
  is("we may go; the march of 5 men", {"5"});
  is("X200 and B2B", {});
  is("", {});
}

TEST(NormalNumbers, keep_two_readings_apart_from_each) {
  EXPECT_NE(numbers_of("1.200")[0].value, numbers_of("1200")[0].value);
  EXPECT_NE(numbers_of("1.200")[0].value, numbers_of("1.2")[0].value);
  EXPECT_NE(numbers_of("03/04/2024")[0].value, numbers_of("2024-03-04")[0].value);
  EXPECT_NE(numbers_of("03/04/2024")[0].value, numbers_of("2024-04-03")[0].value);
  EXPECT_EQ(numbers_of("03/04/2024")[0].value, numbers_of("3/4/2024")[0].value);
}

TEST(NormalNumbers, units_and_rates_are_part_of_a_number) {
  const auto key = [](std::string_view text) { return numbers_of(text).at(0).key(); };
  EXPECT_EQ(key("€500 per month"), "500|eur|month");
  EXPECT_EQ(key("EUR 500/month"), "500|eur|month");
  EXPECT_EQ(key("500 euros a month"), "500|eur|month");
  EXPECT_EQ(key("14 working days"), "14|working day|");
  EXPECT_EQ(key("14-day"), "14|day|");
  EXPECT_EQ(key("80 m²"), "80|m2|");
  EXPECT_EQ(key("230V"), "230|volt|");
  EXPECT_EQ(key("A$5"), "5|a$|");
  EXPECT_EQ(key("US$5"), "5|usd|");
  EXPECT_EQ(key("Price (EUR): 2.50"), "2.5|eur|");
}

// proves P-ANS-02
TEST(Align, every_case_of_the_table_is_judged_as_written) {
  std::size_t wrong_support = 0, wrong_refusal = 0;
  for (const AlignCase& one : kAlignCases) {
    const Support support = align(one.claim, shown(one.passage));
    if (support.supported != (one.expected == Expected::supported)) {
      (support.supported ? wrong_support : wrong_refusal) += 1;
      ADD_FAILURE() << (support.supported ? "WRONGLY SUPPORTED: " : "wrongly refused: ") << one.claim << " <"
                    << support.why_not << ">";
    }
    EXPECT_EQ(support.supported, support.why_not.empty()) << one.claim;
  }
  EXPECT_GE(std::size(kAlignCases), 150U);
  EXPECT_EQ(wrong_support, 0U);
  EXPECT_EQ(wrong_refusal, 0U);
}

// proves P-ANS-03
TEST(Align, the_span_is_the_sentence_in_the_document) {
  const std::string text = "First one is here. The X200 pump weighs 14 kg. Last one is there.";
  const Support support = align("The X200 pump weighs fourteen kilograms.", shown(text, "", 500));
  ASSERT_TRUE(support.supported) << support.why_not;
  EXPECT_EQ(text.substr(support.span.start - 500, support.span.size()), "The X200 pump weighs 14 kg.");
  const Support both = align("The A100 weighs 14 kg.", shown("The A100 is a pump. It weighs 14 kg."));
  ASSERT_TRUE(both.supported) << both.why_not;
  EXPECT_EQ(both.span, (Span{1000, 1036})) << "the sentence that says what 'it' is belongs to the evidence";
}

TEST(Align, a_heading_may_name_what_its_sentences_speak_of) {
  EXPECT_TRUE(align("Employees get 14 weeks of parental leave.",
                    shown("Employees get 14 weeks.", "Handbook > Parental leave"))
                  .supported);
  EXPECT_FALSE(align("Coffee costs 3 EUR.", shown("Tea costs 3 EUR.", "Prices > Coffee")).supported);
  EXPECT_FALSE(align("Parental leave.", shown("Employees get 14 weeks.", "Parental leave")).supported);
  EXPECT_FALSE(align("Employees get 14 weeks of parental leave.",
                     shown("# Sick leave\n\nEmployees get 14 weeks.", "Handbook > Parental leave"))
                   .supported)
      << "a heading inside the passage ends the one before";
}

TEST(Align, evidence_is_looked_for_in_every_passage) {
  std::vector<Hit> hits = shown("Nothing of interest stands here.");
  hits.push_back(shown("The motor needs 230 V.")[0]);
  const Support support = align("The motor needs 230 V.", hits);
  EXPECT_TRUE(support.supported);
  EXPECT_EQ(support.hit, 1U);
  EXPECT_FALSE(align("The motor needs 230 V.", {}).supported);
}

TEST(Align, several_sentences_need_support_each_and_from_one_passage) {
  EXPECT_TRUE(align("The motor needs 230 V. The X200 pump weighs 14 kg.", shown(kManual)).supported);
  EXPECT_FALSE(align("The motor needs 230 V. The X200 pump weighs 15 kg.", shown(kManual)).supported);
  std::vector<Hit> hits = shown("The motor needs 230 V.");
  hits.push_back(shown("The pump weighs 14 kg.")[0]);
  EXPECT_FALSE(align("The motor needs 230 V. The pump weighs 14 kg.", hits).supported);
}

TEST(Align, says_in_plain_words_why_not) {
  EXPECT_EQ(align("The X200 pump weighs 15 kg.", shown(kManual)).why_not,
            "the number '15 kg' is in no shown passage");
  EXPECT_EQ(align("Is it?", shown(kManual)).why_not, "it is a question");
  EXPECT_NE(align("The motor does not need 230 V.", shown(kManual)).why_not.find("negation"),
            std::string::npos);
}

// proves P-ANS-02
TEST(Align, no_alteration_of_a_number_or_date_is_ever_supported) {
  std::mt19937 random(11);
  const auto pick = [&random](std::size_t count) { return static_cast<std::size_t>(random() % count); };
  std::size_t tried = 0;
  for (const char* document : {kContract, kHandbook, kPrices, kManual}) {
    const std::string text = document;
    std::vector<std::string> values;
    for (const Number& number : numbers_of(text)) values.push_back(number.value);
    for (const Span span : passage::sentences(text)) {
      const std::string sentence(slice(text, span));
      const std::vector<Number> numbers = numbers_of(sentence);
      for (int round = 0; round < 60 && !numbers.empty(); ++round) {
        const Number& number = numbers[pick(numbers.size())];
        std::string altered = sentence;
        const std::string before = sentence.substr(number.span.start, number.span.size());
        std::string after = before;
        switch (pick(5)) {
          case 0:  // another digit
            for (char& c : after) {
              if (c >= '0' && c <= '9' && pick(2) == 0) c = static_cast<char>('0' + pick(10));
            }
            break;
          case 1:
            after = std::to_string(1 + pick(9)) + after;
            break;
          case 2:
            after = std::to_string(pick(5000)) + " EUR";
            break;
          case 3:
            after = std::to_string(1 + pick(28)) + " June " + std::to_string(1990 + pick(60));
            break;
          case 4:
            after = "ninety-" + std::string(pick(2) == 0 ? "two" : "six");
            break;
        }
        altered.replace(number.span.start, number.span.size(), after);
        const auto then = normal_numbers(altered);
        if (then == normal_numbers(sentence)) continue;
        ++tried;
        const Support support = align(altered, shown(text));
        if (!support.supported) continue;
        // Dropping a unit is refused as well; a supported sentence must have the numbers of its evidence.
        ADD_FAILURE() << altered << "\n  from: " << sentence;
      }
    }
  }
  EXPECT_GT(tried, 500U);
}

TEST(Align, every_sentence_of_a_document_carries_itself) {
  for (const char* document : {kContract, kHandbook, kManual}) {
    const std::string text = document;
    for (const Span span : passage::sentences(text)) {
      const Support support = align(slice(text, span), shown(text));
      EXPECT_TRUE(support.supported) << slice(text, span) << ": " << support.why_not;
      EXPECT_EQ(support.span, (Span{1000 + span.start, 1000 + span.end}));
    }
  }
}

// proves P-ANS-06
TEST(Align, long_and_hostile_input_costs_little_time) {
  std::string words, sentences, digits;
  for (int i = 0; words.size() < 100000; ++i) words += "word" + std::to_string(i % 50) + " ";
  for (int i = 0; sentences.size() < 100000; ++i)
    sentences += "The pump weighs " + std::to_string(i % 7) + " kg and is not new. ";
  for (int i = 0; digits.size() < 100000; ++i) digits += "1,1.";
  const std::string short_claim = sentences.substr(0, 4000);
  const auto start = std::chrono::steady_clock::now();
  int calls = 0;
  for (const std::string& passage :
       {words, sentences, digits, std::string(100000, 'a'), std::string(100000, '('),
        std::string(100000, '\xFF'), std::string(100000, '.')}) {
    for (const std::string& claim : {passage, words, short_claim, std::string("The pump weighs 9 kg.")}) {
      const Support support = align(claim, shown(passage));
      EXPECT_LE(support.span.end, 1000 + passage.size());
      ++calls;
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  RecordProperty("milliseconds_per_call", static_cast<int>(seconds * 1000 / calls));
  EXPECT_LT(seconds / calls, 2.0)
      << "half a second in a release build; debug and sanitizer builds are slower";
}

}  // namespace
}  // namespace loam::answer
