#include "tasks/advise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/json.h"
#include "tasks/advise_measure.h"
#include "tasks/testing/tickets.h"

namespace loam::tasks {
namespace {

using ::testing::HasSubstr;

/// A method that is right on the given share of `n` items. Methods share their hard items, as real ones do:
/// item i is as hard as `seed` says, and a better method gets the harder ones too.
Candidate method(const std::string& name, Rung rung, double share, double ms, std::size_t n = 400) {
  Candidate candidate;
  candidate.name = name;
  candidate.rung = rung;
  candidate.scored = true;
  candidate.ms_per_item = ms;
  std::mt19937 random(7);
  double right = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double hardness = static_cast<double>(random() % 10000) / 10000;
    candidate.items.push_back(i);
    candidate.scores.push_back(hardness < share ? 1.0 : 0.0);
    candidate.decided.push_back(hardness < share - 0.05);  // unsure near its limit, and right when sure
    right += candidate.scores.back();
  }
  const double value = right / static_cast<double>(n);
  candidate.score = {value, value - 0.03, value + 0.03, n};
  candidate.knows_doubt = true;
  candidate.alone.target = 0.95;
  candidate.alone.n = n;
  candidate.alone.decided = static_cast<std::size_t>(std::max(0.0, share - 0.05) * static_cast<double>(n));
  candidate.alone.coverage = std::max(0.0, share - 0.05);
  candidate.alone.accuracy = 1;
  return candidate;
}

Candidate majority(double share, std::size_t n = 400) {
  Candidate candidate = method("majority", Rung::none, share, 0.0001, n);
  candidate.trivial = true;
  candidate.alone = {};
  candidate.decided.assign(n, false);  // always as sure: at no threshold can it be shown to be right
  return candidate;
}

Evidence evidence(std::vector<Candidate> candidates) {
  Evidence out;
  out.data = {"tickets.csv", std::string(64, 'a'), 2000};
  out.sample_items = 400;
  out.examples = 1200;
  out.labels = 5;
  out.fewest_of_a_label = 10;
  out.candidates = std::move(candidates);
  out.tokens_in = 120;
  out.tokens_out = 5;
  return out;
}

const RankedCandidate& ranked(const Advice& advice, const Evidence& evidence, const std::string& name) {
  for (const RankedCandidate& one : advice.ranked) {
    if (evidence.candidates[one.candidate].name == name) return one;
  }
  ADD_FAILURE() << name << " is not ranked";
  return advice.ranked.front();
}

// proves P-ADVISE-01
TEST(Advise, the_simplest_that_is_not_shown_to_be_worse_is_chosen) {
  const Evidence measured =
      evidence({majority(0.3), method("words", Rung::classical, 0.90, 0.01),
                method("vectors", Rung::embeddings, 0.905, 6), method("model", Rung::small_model, 0.4, 900)});
  const auto advice = advise({}, measured);
  ASSERT_TRUE(advice.ok()) << advice.error().line();
  EXPECT_EQ(advice->verdict, Verdict::classical);
  EXPECT_EQ(advice->chosen, "words");
  EXPECT_THAT(advice->headline, HasSubstr("no language model"));
  // ... and a difference that is more than chance counts.
  const Evidence apart = evidence({majority(0.3), method("words", Rung::classical, 0.80, 0.01),
                                   method("vectors", Rung::embeddings, 0.92, 6)});
  const auto other = advise({}, apart);
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(other->verdict, Verdict::embeddings);
  EXPECT_LT(ranked(*other, apart, "words").p, 0.001);
}

// proves P-ADVISE-02
TEST(Advise, a_method_that_is_too_slow_is_left_out_and_named_with_the_reason) {
  const Evidence measured = evidence({majority(0.3), method("words", Rung::classical, 0.75, 0.01),
                                      method("model", Rung::small_model, 0.97, 2000)});
  Situation situation;
  situation.latency_ms = 500;
  const auto advice = advise(situation, measured);
  ASSERT_TRUE(advice.ok());
  EXPECT_EQ(advice->chosen, "words");
  EXPECT_THAT(ranked(*advice, measured, "model").excluded, HasSubstr("longest wait"));
  EXPECT_THAT(advice->changes, ::testing::Contains(HasSubstr("model: it was left out because")));
  // The same when the volume is more than a machine can do.
  situation.latency_ms = 0;
  situation.items_per_day = 100'000;  // 2 s each: 2.3 machines
  const auto busy = advise(situation, measured);
  ASSERT_TRUE(busy.ok());
  EXPECT_EQ(busy->chosen, "words");
  EXPECT_THAT(ranked(*busy, measured, "model").excluded, HasSubstr("3 machines"));
  situation.items_per_day = 100;
  const auto idle = advise(situation, measured);
  ASSERT_TRUE(idle.ok());
  EXPECT_EQ(idle->chosen, "model");
  EXPECT_EQ(idle->verdict, Verdict::small_model);
}

// proves P-ADVISE-03
TEST(Advise, a_month_costs_machine_people_and_mistakes) {
  Candidate one = method("words", Rung::classical, 0.8, 100, 10);
  one.scores = {1, 1, 1, 1, 1, 1, 1, 1, 0, 0};
  one.decided = {true, true, true, true, true, true, false, false, true, false};
  Situation situation;
  situation.items_per_day = 1000;
  situation.check_cost = 2;
  situation.error_cost = 50;
  situation.machine_month = 73.05;  // 0.10 for each of the month's 730.5 hours
  const MonthlyCost cost = monthly_cost(situation, one);
  EXPECT_NEAR(cost.items, 30437.5, 0.01);
  EXPECT_NEAR(cost.by_people, 0.3 * 30437.5, 0.01);
  EXPECT_NEAR(cost.wrong, 0.1 * 30437.5, 0.01);
  EXPECT_NEAR(cost.machine_hours, 30437.5 * 0.1 / 3600, 1e-6);
  EXPECT_NEAR(cost.machine.value(), cost.machine_hours * 0.1, 1e-6);
  EXPECT_NEAR(cost.people.value(), cost.by_people * 2, 1e-6);
  EXPECT_NEAR(cost.mistakes.value(), cost.wrong * 50, 1e-6);
  EXPECT_NEAR(cost.total, *cost.machine + *cost.people + *cost.mistakes, 1e-6);
  // Where nobody counts the time of people, the method decides everything.
  situation.check_cost = 0;
  EXPECT_EQ(monthly_cost(situation, one).by_people, 0);
  EXPECT_NEAR(monthly_cost(situation, one).wrong, 0.2 * 30437.5, 0.01);
}

TEST(Advise, a_full_machine_is_bought_whole) {
  const Candidate slow = method("model", Rung::small_model, 0.8, 1000);
  Situation situation;
  situation.machine_month = 100;
  situation.items_per_day = 86'400 * 1.5;
  EXPECT_NEAR(*monthly_cost(situation, slow).machine, 200, 1e-9);
  situation.items_per_day = 86'400 * 0.5;
  EXPECT_NEAR(*monthly_cost(situation, slow).machine, 50, 1e-9);
}

// proves P-ADVISE-04
TEST(Advise, dear_mistakes_buy_a_better_method_and_cheap_ones_do_not) {
  const Evidence measured = evidence({majority(0.3), method("words", Rung::classical, 0.85, 0.01),
                                      method("model", Rung::small_model, 0.92, 1500)});
  Situation situation;
  situation.items_per_day = 5000;
  situation.machine_month = 30'000;  // the model keeps 9% of it busy: 0.017 an item
  situation.error_cost = 0.10;       // the words' 7 points are worth 0.007 an item
  const auto cheap = advise(situation, measured);
  ASSERT_TRUE(cheap.ok());
  EXPECT_TRUE(cheap->money);
  EXPECT_EQ(ranked(*cheap, measured, "words").excluded, "");
  EXPECT_LT(ranked(*cheap, measured, "words").loss, ranked(*cheap, measured, "model").loss);
  EXPECT_EQ(cheap->chosen, "words");
  EXPECT_THAT(cheap->changes, ::testing::Contains(HasSubstr("Dearer mistakes")));
  situation.error_cost = 5;
  const auto dear = advise(situation, measured);
  ASSERT_TRUE(dear.ok());
  EXPECT_EQ(dear->chosen, "model");
}

TEST(Advise, the_target_follows_from_what_a_mistake_and_a_look_cost) {
  EXPECT_NEAR(implied_target(20, 1).value(), 0.95, 1e-12);
  EXPECT_FALSE(implied_target(20, 0).has_value());
  EXPECT_FALSE(implied_target(0, 1).has_value());
  EXPECT_FALSE(implied_target(1, 2).has_value());  // a look costs more than the mistake
  EXPECT_LE(implied_target(1e9, 1).value(), 0.995);
}

// proves P-ADVISE-05
TEST(Advise, nothing_that_beats_a_constant_answer_is_said_as_it_is) {
  const Evidence small = evidence({majority(0.5, 30), method("words", Rung::classical, 0.55, 0.01, 30)});
  const auto unclear = advise({}, small);
  ASSERT_TRUE(unclear.ok());
  EXPECT_EQ(unclear->verdict, Verdict::more_examples);
  EXPECT_TRUE(unclear->chosen.empty());
  const Evidence large = evidence({majority(0.5, 4000), method("words", Rung::classical, 0.5, 0.01, 4000)});
  const auto hopeless = advise({}, large);
  ASSERT_TRUE(hopeless.ok());
  EXPECT_EQ(hopeless->verdict, Verdict::larger_model);
  EXPECT_TRUE(hopeless->chosen.empty());
}

TEST(Advise, what_is_beyond_the_measured_depends_on_examples_and_on_where_texts_may_go) {
  Candidate weak = method("words", Rung::classical, 0.6, 0.01);
  weak.alone.decided = 0;
  weak.alone.coverage = 0;
  Evidence measured = evidence({majority(0.3), weak});
  Situation situation;
  EXPECT_EQ(advise(situation, measured)->verdict, Verdict::larger_model);
  EXPECT_EQ(advise(situation, measured)->chosen, "words");  // to start with
  situation.reach = Reach::third_party;
  EXPECT_EQ(advise(situation, measured)->verdict, Verdict::remote_model);
  measured.fewest_of_a_label = 50;
  EXPECT_EQ(advise(situation, measured)->verdict, Verdict::tuned_head);
}

TEST(Advise, a_hosted_model_is_priced_and_never_guessed) {
  const Evidence measured = evidence({majority(0.3), method("words", Rung::classical, 0.9, 0.01)});
  Situation situation;
  situation.items_per_day = 1000;
  situation.api_input_price = 2;
  situation.api_output_price = 10;
  situation.error_cost = 1;
  const auto advice = advise(situation, measured);
  ASSERT_TRUE(advice.ok());
  ASSERT_TRUE(advice->hosted.has_value());
  const double per_item = (120 * 2.0 + 5 * 10.0) / 1e6;
  EXPECT_NEAR(advice->hosted->month, per_item * 30437.5, 1e-6);
  // Wrong results of the words cost about 0.1 an item; the hosted model has to be right that much more often.
  const RankedCandidate& words = ranked(*advice, measured, "words");
  EXPECT_NEAR(advice->hosted->needed_score.value(),
              1 - (words.cost.total - advice->hosted->month) / (words.cost.items * 1.0), 1e-9);
  for (const RankedCandidate& one : advice->ranked)
    EXPECT_NE(measured.candidates[one.candidate].rung, Rung::remote_model);
  EXPECT_THAT(advice->changes, ::testing::Contains(HasSubstr("It was not measured")));
  EXPECT_THAT(advice->changes, ::testing::Contains(HasSubstr("may not go to a third party")));
}

TEST(Advise, a_method_scored_on_few_items_has_to_win_on_those) {
  Candidate lucky = method("model", Rung::small_model, 0.99, 10, 400);
  for (auto* list : {&lucky.scores}) list->resize(20);
  lucky.items.resize(20);
  lucky.decided.resize(20);
  lucky.scores.assign(20, 1.0);
  lucky.score = {1.0, 0.83, 1.0, 20};
  const Evidence measured = evidence({majority(0.3), method("words", Rung::classical, 0.9, 0.01), lucky});
  const auto advice = advise({}, measured);
  ASSERT_TRUE(advice.ok());
  EXPECT_EQ(advice->chosen, "words");
}

TEST(Advise, nothing_measured_is_an_error) {
  Candidate none;
  none.name = "model";
  none.note = "skipped";
  EXPECT_EQ(advise({}, evidence({none})).error().kind, Kind::bad_request);
}

// proves P-ADVISE-06
TEST(Advise, page_and_json_hold_the_same_figures_and_escape_what_comes_from_outside) {
  Evidence measured = evidence({majority(0.3), method("words", Rung::classical, 0.9, 0.01)});
  measured.data.file = "<script>alert(1)</script>.csv";
  measured.learning = {{100, {0.7, 0.6, 0.8, 400}}, {200, {0.8, 0.75, 0.85, 400}}};
  measured.candidates[1].risk = {{0.9, 0.5, 0.01}, {0.5, 1.0, 0.1}};
  Situation situation;
  situation.check_cost = 1;
  const auto advice = advise(situation, measured);
  ASSERT_TRUE(advice.ok());
  const std::string page = advice_page(*advice, situation, measured, {"loam classify fit x"});
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_THAT(page, HasSubstr(advice->headline));
  EXPECT_THAT(page, HasSubstr("<svg"));
  for (const std::string& change : advice->changes) EXPECT_THAT(change, ::testing::Not(::testing::IsEmpty()));
  const Json json = to_json(*advice, situation, measured);
  EXPECT_EQ(json["verdict"], "classical");
  EXPECT_EQ(json["methods"].size(), 2U);
  EXPECT_EQ(json["learning"].size(), 2U);
  EXPECT_EQ(json["situation"]["check_cost"], 1.0);
  EXPECT_TRUE(json["hosted"].is_null());
}

TEST(AdviseNames, every_name_leads_back) {
  for (const std::string_view name : {"classify", "answer", "summarise", "translate", "extract", "code"}) {
    const auto task = advice_task_named(name);
    ASSERT_TRUE(task.has_value());
    EXPECT_EQ(name_of(*task), name);
  }
  EXPECT_FALSE(advice_task_named("divine").has_value());
  EXPECT_EQ(reach_named("own-network"), Reach::own_network);
}

TEST(AdviseData, text_and_label_are_found_by_what_they_hold) {
  std::string csv = "id,subject,body,queue,when\n";
  const char* queues[] = {"billing", "delivery", "returns"};
  for (int i = 0; i < 60; ++i) {
    csv += std::to_string(i) + ",short,\"a longer text, number " + std::to_string(i) +
           ", that says what is the matter\"," + queues[i % 3] + ",2026-01-0" + std::to_string(i % 9 + 1) +
           "\n";
  }
  const auto guess = guess_data(csv, "tickets.csv");
  ASSERT_TRUE(guess.ok()) << guess.error().line();
  EXPECT_EQ(guess->task, AdviceTask::classify);
  EXPECT_EQ(guess->text_column, "body");
  EXPECT_EQ(guess->label_column, "queue");
  EXPECT_TRUE(guess->sure);
}

TEST(AdviseData, other_work_is_known_by_its_keys) {
  EXPECT_EQ(guess_data(R"({"id":"1","question":"Who?","answer":"Ann"})", "q.jsonl")->task,
            AdviceTask::answer);
  EXPECT_EQ(guess_data(R"({"text":"add","test_list":["assert add(1,2)==3"]})", "c.jsonl")->task,
            AdviceTask::code);
  EXPECT_EQ(guess_data(R"({"input":"Good day","references":["Bonjour"]})", "t.jsonl")->task,
            AdviceTask::translate);
  EXPECT_EQ(guess_data(R"({"input":"A long text that goes on and on for many words","reference":"Long."})",
                       "s.jsonl")
                ->task,
            AdviceTask::summarise);
  EXPECT_EQ(guess_data(R"({"text":"Invoice 7","reference":{"number":"7"}})", "e.jsonl")->task,
            AdviceTask::extract);
}

// proves P-ADVISE-07
TEST(AdviseData, what_cannot_be_judged_by_is_refused_with_what_to_do) {
  const auto no_labels = guess_data("id,text\n1,one text\n2,another text\n3,a third\n", "t.csv");
  ASSERT_FALSE(no_labels.ok());
  EXPECT_EQ(no_labels.error().kind, Kind::bad_request);
  EXPECT_THAT(no_labels.error().next_step, HasSubstr("label"));
  EXPECT_EQ(guess_data("", "t.csv").error().kind, Kind::bad_data);
  EXPECT_EQ(guess_data(std::string("PK\x03\x04\0\0\0", 7), "t.xlsx").error().kind, Kind::bad_data);
  EXPECT_EQ(guess_data("{not json\n", "t.jsonl").error().kind, Kind::bad_data);
  EXPECT_EQ(guess_data("just one line of prose\n", "t.txt").error().kind, Kind::bad_data);
}

TEST(AdviseMeasure, a_comparison_becomes_evidence_with_thresholds_of_the_target) {
  CompareRequest request;
  request.data = loam::tasks::testing::tickets(400, 0.1);
  request.methods = {"majority", "tfidf+logreg"};
  request.targets = {0.8, 0.95};
  request.find_suspects = false;
  const auto compared = compare_classifiers(request, {});
  ASSERT_TRUE(compared.ok()) << compared.error().line();
  const Evidence measured = evidence_of(*compared, request, 0.8);
  ASSERT_EQ(measured.candidates.size(), 2U);
  const Candidate& words = measured.candidates[0];
  EXPECT_EQ(words.name, "tfidf+logreg");
  EXPECT_EQ(words.rung, Rung::classical);
  EXPECT_EQ(words.alone.target, 0.8);
  EXPECT_EQ(static_cast<std::size_t>(std::count(words.decided.begin(), words.decided.end(), true)),
            words.alone.decided);
  EXPECT_EQ(words.scores.size(), measured.sample_items);
  EXPECT_TRUE(measured.candidates[1].trivial);
  const auto curve = learning_curve(*compared, request, "tfidf+logreg", nullptr);
  ASSERT_TRUE(curve.ok()) << curve.error().line();
  ASSERT_EQ(curve->size(), 4U);
  EXPECT_EQ(curve->back().examples, compared->train_items);
  // With everything it is the comparison's own figure.
  EXPECT_NEAR(curve->back().score.value, words.score.value, 1e-9);
  EXPECT_LT(curve->front().score.value, curve->back().score.value);
}

}  // namespace
}  // namespace loam::tasks
