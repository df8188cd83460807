#include "tasks/translate.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/utf8.h"
#include "tasks/testing/talking_engine.h"

namespace loam::tasks {
namespace {

using testing::fenced_part;
using testing::TalkingEngine;

std::vector<std::string> segments(std::string_view text, TextForm form = TextForm::markdown) {
  std::vector<std::string> found;
  for (const Span span : segments_of(text, form)) found.emplace_back(slice(text, span));
  return found;
}

std::vector<std::string> kinds(const std::vector<Violation>& violations) {
  std::vector<std::string> found;
  for (const Violation& one : violations) found.push_back(one.kind);
  return found;
}

TranslateOptions into_french() {
  TranslateOptions options;
  options.to = *find_language("fr");
  return options;
}

/// A translator that writes every word in capitals: keeps numbers and marks, changes words.
std::string shouted(const std::string& prompt) {
  std::string text = fenced_part(prompt);
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return text;
}

constexpr std::string_view kMarkdown =
    "---\ntitle: Guide\n---\n# Set up the *pump*\n\nOpen the valve. Then wait\nfor ten minutes.\n\n"
    "- first step\n  1. deeper step\n\n> A quoted line.\n\n```sh\npump --start\n```\n\n"
    "| Part | Price |\n|---|---:|\n| seal | 4 |\n\n    indented code\n\n[home]: https://example.org\n<!-- a "
    "note -->\n";

TEST(Segments, are_sentences_of_prose_and_never_the_frame) {
  const std::vector<std::string> expected = {"Set up the *pump*",
                                             "Open the valve.",
                                             "Then wait\nfor ten minutes.",
                                             "first step",
                                             "deeper step",
                                             "A quoted line.",
                                             "Part",
                                             "Price",
                                             "seal",
                                             "4"};
  EXPECT_EQ(segments(kMarkdown), expected);
}

TEST(Segments, plain_text_has_no_marks) {
  EXPECT_EQ(segments("# not a heading\n\nTwo lines\nof one paragraph.", TextForm::plain),
            (std::vector<std::string>{"# not a heading", "Two lines\nof one paragraph."}));
}

TEST(Segments, are_in_order_and_on_code_point_borders_whatever_the_text) {
  for (const std::string& text :
       {std::string("日本語の文。次の文。\n- é\n|a|b|\n"), std::string("```\nnever closed"),
        std::string("---\n"), std::string("||||\n> > >\n# \n- \n"), std::string("\r\n\r\nline\r\n"),
        std::string(5000, '>'), std::string(5000, '|'), std::string(5000, '`')}) {
    std::size_t end = 0;
    for (const Span span : segments_of(text, TextForm::markdown)) {
      EXPECT_GE(span.start, end);
      EXPECT_LE(span.end, text.size());
      EXPECT_FALSE(span.empty());
      EXPECT_TRUE(is_valid_utf8(slice(text, span)));
      end = span.end;
    }
  }
}

TEST(Translate, the_frame_of_a_markdown_file_stays_byte_for_byte) {
  // proves P-TASK-04
  TalkingEngine engine(shouted);
  const Result<Translation> translation = translate(&engine, kMarkdown, into_french());
  ASSERT_TRUE(translation.ok()) << translation.error().line();
  const std::string expected =
      "---\ntitle: Guide\n---\n# SET UP THE *PUMP*\n\nOPEN THE VALVE. THEN WAIT FOR TEN MINUTES.\n\n"
      "- FIRST STEP\n  1. DEEPER STEP\n\n> A QUOTED LINE.\n\n```sh\npump --start\n```\n\n"
      "| PART | PRICE |\n|---|---:|\n| SEAL | 4 |\n\n    indented code\n\n[home]: https://example.org\n<!-- "
      "a note -->\n";
  EXPECT_EQ(translation->text, expected);
  EXPECT_EQ(translation->translated, 9U);
  EXPECT_EQ(translation->nothing, 1U);
}

TEST(Translate, without_an_engine_the_source_is_copied) {
  const Result<Translation> translation = translate(nullptr, kMarkdown, into_french());
  ASSERT_TRUE(translation.ok());
  EXPECT_EQ(translation->text, kMarkdown);
  EXPECT_EQ(translation->same, translation->segments.size());
}

TEST(Translate, a_segment_that_loses_a_number_twice_keeps_its_source_and_is_marked) {
  // proves P-TASK-05
  TalkingEngine engine([](const std::string&) { return "Il y a quelques pommes."; });
  const Result<Translation> translation = translate(&engine, "There are 12 apples.", into_french());
  ASSERT_TRUE(translation.ok());
  EXPECT_EQ(translation->text, std::string(kMarkOpen) + "There are 12 apples." + std::string(kMarkClose));
  EXPECT_EQ(translation->kept, 1U);
  EXPECT_EQ(engine.asked.size(), 2U);
  ASSERT_EQ(translation->segments.size(), 1U);
  EXPECT_EQ(kinds(translation->segments[0].violations), std::vector<std::string>{"number"});
  EXPECT_NE(engine.asked[1].find("12"), std::string::npos);
}

TEST(Translate, a_second_try_that_holds_is_taken) {
  int call = 0;
  TalkingEngine engine(
      [&](const std::string&) { return ++call == 1 ? "Il y a des pommes." : "Il y a 12 pommes."; });
  const Result<Translation> translation = translate(&engine, "There are 12 apples.", into_french());
  ASSERT_TRUE(translation.ok());
  EXPECT_EQ(translation->text, "Il y a 12 pommes.");
  EXPECT_EQ(translation->retried, 1U);
}

TEST(Translate, marks_can_be_left_out) {
  TalkingEngine engine([](const std::string&) { return ""; });
  TranslateOptions options = into_french();
  options.mark_kept = false;
  const Result<Translation> translation = translate(&engine, "Hello there.", options);
  ASSERT_TRUE(translation.ok());
  EXPECT_EQ(translation->text, "Hello there.");
  EXPECT_EQ(translation->kept, 1U);
}

TEST(Translate, what_models_put_around_a_translation_is_taken_off) {
  TalkingEngine engine([](const std::string&) { return "<<<\nTranslation: \"Bonjour à tous.\"\n>>>"; });
  const Result<Translation> translation = translate(&engine, "Hello everyone.", into_french());
  ASSERT_TRUE(translation.ok());
  EXPECT_EQ(translation->text, "\"Bonjour à tous.\"");
}

TEST(Translate, the_request_said_again_is_no_part_of_a_translation) {
  TalkingEngine engine([](const std::string&) { return "Bonjour. Translate it into French."; });
  const Result<Translation> translation = translate(&engine, "Hello.", into_french());
  ASSERT_TRUE(translation.ok());
  EXPECT_EQ(translation->text, "Bonjour.");
}

TEST(Translate, a_segment_beyond_the_context_keeps_its_source_and_says_so) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "word ";
  text += "end.";
  TalkingEngine engine(shouted, 200);
  const Result<Translation> translation = translate(&engine, text, into_french());
  ASSERT_TRUE(translation.ok()) << translation.error().line();
  EXPECT_EQ(translation->kept, 1U);
  EXPECT_EQ(translation->segments[0].violations[0].kind, "length");
}

TEST(Translate, the_same_segment_is_translated_once) {
  TalkingEngine engine(shouted);
  const Result<Translation> translation = translate(&engine, "- open\n- shut\n- open\n", into_french());
  ASSERT_TRUE(translation.ok());
  EXPECT_EQ(translation->text, "- OPEN\n- SHUT\n- OPEN\n");
  EXPECT_EQ(engine.asked.size(), 2U);
}

TEST(Translate, broken_utf8_is_refused) {
  const Result<Translation> translation = translate(nullptr, "a\xFF", into_french());
  ASSERT_FALSE(translation.ok());
  EXPECT_EQ(translation.error().kind, Kind::bad_data);
}

TEST(Verify, finds_what_was_lost_and_what_was_invented) {
  struct Case {
    std::string_view source, translation;
    std::vector<std::string> broken;
  };
  const std::vector<Case> cases = {
      {"Press 3 keys.", "Appuyez sur 3 touches.", {}},
      {"Press 3 keys.", "Appuyez sur 4 touches.", {"number", "number"}},
      {"It costs 1,200.50 EUR.", "Cela coûte 1 200,50 EUR.", {}},
      {"It costs 1200 EUR.", "Cela coûte 1.200 EUR.", {}},
      {"In 2024 300 people came.", "300 personnes sont venues en 2024.", {}},
      {"Room 12", "Chambre ١٢", {}},
      {"Hello {name}!", "Bonjour {name} !", {}},
      {"Hello {name}!", "Bonjour {nom} !", {"placeholder", "placeholder"}},
      {"%s has %1$d files", "%s a %1$d fichiers", {}},
      {"%s has %d files", "%s a des fichiers", {"placeholder"}},
      {"50% of all", "50% de tous", {}},
      {"Click <b>here</b>.", "Cliquez <b>ici</b>.", {}},
      {"Click <b>here</b>.", "Cliquez ici.", {"tag", "tag"}},
      {"See https://a.example/x?y=1.", "Voir https://a.example/x?y=1.", {}},
      {"See https://a.example/x.", "Voir https://a.example/y.", {"url", "url"}},
      {"Write to help@a.example.", "Écrivez à help@a.example.", {}},
      {"[the guide](guide.md)", "[le guide](guide.md)", {}},
      {"[the guide](guide.md)", "[le guide](manuel.md)", {"url", "url"}},
      {"Run `make all`.", "Lancez `make all`.", {}},
      {"Run `make all`.", "Lancez `tout faire`.", {"code", "code"}},
      {"A **bold** word", "Un mot **gras**", {}},
      {"A **bold** word", "Un mot gras", {"markup"}},
      {"Yes", "- Oui", {"markup"}},
      {"Anything", "  ", {"empty"}},
      {"Hi", "Bonjour à toutes et à tous, et bienvenue dans notre belle ville de Paris", {"length"}},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(kinds(verify(one.source, one.translation, {}, TextForm::markdown)), one.broken)
        << one.source << " -> " << one.translation;
  }
}

TEST(Verify, a_glossary_term_must_come_out_as_the_glossary_says) {
  const std::vector<GlossaryTerm> glossary = {{"invoice", "facture", 2}, {"Loam", "Loam", 3}};
  EXPECT_TRUE(verify("Pay the invoice.", "Payez la facture.", glossary, TextForm::plain).empty());
  EXPECT_EQ(kinds(verify("Pay the invoice.", "Payez la note.", glossary, TextForm::plain)),
            std::vector<std::string>{"glossary"});
  EXPECT_TRUE(verify("The invoiced sum", "La somme", glossary, TextForm::plain).empty());
  EXPECT_EQ(kinds(verify("Start Loam.", "Lancez Terreau.", glossary, TextForm::plain)),
            std::vector<std::string>{"glossary"});
}

TEST(Kept, hostile_text_costs_linear_time) {
  for (const char* part : {"](", "%(", "{", "<a", "`", "``", "http://x(", "a@", "1.", "&a", "{{"}) {
    std::string text;
    while (text.size() < 100000) text += part;
    (void)kept_in(text);  // the test's time limit is the judge
    (void)verify(text, text, {}, TextForm::markdown);
  }
}

TEST(Glossary, takes_terms_and_keeps_what_has_no_translation) {
  const auto terms = parse_glossary(
      "source,target\ninvoice,facture\n\"invoice number\",\"numéro de facture\"\nLoam,\n", "terms.csv");
  ASSERT_TRUE(terms.ok()) << terms.error().line();
  ASSERT_EQ(terms->size(), 3U);
  EXPECT_EQ((*terms)[0].source, "invoice number");
  EXPECT_EQ((*terms)[2].target, "Loam");
}

TEST(Glossary, names_the_line_of_what_is_broken) {
  const auto message = [](std::string_view bytes) {
    const auto terms = parse_glossary(bytes, "terms.csv");
    return terms.ok() ? std::string("taken") : terms.error().line();
  };
  EXPECT_NE(message("").find("empty"), std::string::npos);
  EXPECT_NE(message("only one column\nx\n").find("two columns"), std::string::npos);
  EXPECT_NE(message("s,t\na,b\nc,\"d\n").find("line 3"), std::string::npos);
  EXPECT_NE(message("s,t\na,b,c\n").find("line 2"), std::string::npos);
  EXPECT_NE(message("s,t\n,b\n").find("line 2"), std::string::npos);
  EXPECT_NE(message("s,t\na,b\nA,c\n").find("line 3"), std::string::npos);
  EXPECT_NE(message("s,t\n\xFF,b\n").find("UTF-8"), std::string::npos);
}

TEST(Languages, are_known_by_code_region_and_name) {
  EXPECT_EQ(find_language("fr")->name, "French");
  EXPECT_EQ(find_language("FR")->code, "fr");
  EXPECT_EQ(find_language("German")->code, "de");
  EXPECT_EQ(find_language("pt-BR")->name, "Portuguese (BR)");
  for (const char* wrong : {"xx", "", "Klingon", "pt-", "fr-??", "Frensh"}) {
    const Result<Language> found = find_language(wrong);
    ASSERT_FALSE(found.ok()) << wrong;
    EXPECT_EQ(found.error().kind, Kind::bad_request);
  }
  EXPECT_NE(find_language("Frensh").error().next_step.find("fr"), std::string::npos);
  const auto codes = language_codes();
  EXPECT_TRUE(std::is_sorted(codes.begin(), codes.end()));
  EXPECT_EQ(codes.size(), 183U);
}

}  // namespace
}  // namespace loam::tasks
