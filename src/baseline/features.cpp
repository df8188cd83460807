#include "baseline/features.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "baseline/words.h"
#include "passage/cutter.h"

namespace loam::baseline {
namespace {

constexpr float kSoftMatch = 0.6F;  // credit for a word of the same family: "employer" for "employment"

/// Words of one family share a long beginning.
bool same_family(std::string_view a, std::string_view b) {
  const std::size_t shorter = std::min(a.size(), b.size());
  const std::size_t longer = std::max(a.size(), b.size());
  std::size_t shared = 0;
  while (shared < shorter && a[shared] == b[shared]) ++shared;
  return shared >= 5 && shared * 10 >= longer * 6;
}

/// Words that only shape a question: "how much", "how hot", "what kind of". An answer gives the measure
/// itself.
bool shapes_question(const std::vector<Word>& words, std::size_t i) {
  static const std::unordered_set<std::string_view> kShapes = {
      "much", "many", "long", "often", "far",  "old",  "soon", "hot",   "cold",  "large", "big",
      "fast", "high", "tall", "heavy", "deep", "wide", "late", "early", "quick", "thick", "loud"};
  static const std::unordered_set<std::string_view> kNouns = {"kind", "type",   "sort",
                                                              "name", "happen", "mean"};
  if (words[i].lower == "mean") return true;  // "What does X mean?"
  if (i > 0 && words[i - 1].lower == "how" && kShapes.contains(words[i].lower)) return true;
  return i > 0 && i <= 2 && (words[0].lower == "what" || words[0].lower == "which") &&
         kNouns.contains(words[i].lower);
}

constexpr float kInherited = 0.8F;  // credit for a word of the line or sentence that this one goes on from
constexpr float kNearMatch = 0.9F;  // credit for another word of trade with the same meaning

/// What "What does X cost?" is answered with in lists and contracts.
bool same_meaning(std::string_view a, std::string_view b) {
  static const std::unordered_set<std::string_view> kPrices = {"cost", "pric", "price", "fee", "charg"};
  return kPrices.contains(a) && kPrices.contains(b);
}

/// Stems of one text, for fast look-up.
struct Bag {
  std::vector<Word> words;
  std::unordered_set<std::string> stems;

  explicit Bag(std::string_view text) : words(words_of(text)) {
    for (const Word& word : words) stems.insert(word.stem);
  }
  float match(const std::string& stem) const {
    if (stems.contains(stem)) return 1.0F;
    if (std::any_of(stems.begin(), stems.end(),
                    [&stem](const std::string& other) { return same_meaning(stem, other); })) {
      return kNearMatch;
    }
    if (stem.size() < 5) return 0.0F;
    for (const std::string& other : stems) {
      if (same_family(stem, other)) return kSoftMatch;
    }
    return 0.0F;
  }
};

float dot(const float* a, const float* b, int size) {
  float sum = 0;
  for (int i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

/// A line that announces what follows: a question, or a few words without an end of their own.
bool announces(std::string_view text, Span span, const Bag& bag) {
  const std::string_view sentence = slice(text, span);
  const bool own_line =
      (span.start == 0 || text[span.start - 1] == '\n') && span.end < text.size() && text[span.end] == '\n';
  if (!own_line || sentence.empty()) return false;
  if (sentence.ends_with('?')) return true;
  constexpr std::size_t kLongestTitle = 10;  // words
  return bag.words.size() <= kLongestTitle && sentence.find('|') == std::string_view::npos &&
         std::string_view(".!;,").find(sentence.back()) == std::string_view::npos;
}

bool refers_back(const Bag& bag) {
  static const std::unordered_set<std::string_view> kWords = {
      "it", "they", "he", "she", "its", "their", "his", "her", "this", "these", "those", "such"};
  return !bag.words.empty() && kWords.contains(bag.words.front().lower);
}

/// What a sentence goes on from: the line that announces it, and the sentences that its pronoun refers back
/// to.
struct Subjects {
  Bag words{""};
  Span title;  ///< the line that announces the sentence; may be empty
};

std::vector<Subjects> inherited(std::string_view text, const std::vector<Span>& spans,
                                const std::vector<Bag>& bags) {
  std::vector<Subjects> all;
  std::optional<std::size_t> line;  // that announces
  std::size_t start = 0;            // of the paragraph
  for (std::size_t s = 0; s < spans.size(); ++s) {
    const bool paragraph =
        s == 0 || slice(text, {spans[s - 1].end, spans[s].start}).find("\n\n") != std::string_view::npos;
    if (paragraph) start = s;
    Subjects subjects;
    // A question is answered by the paragraph after it; a title holds until the next line of its kind.
    if (line) {
      subjects.title = spans[*line];
      subjects.words.stems = bags[*line].stems;
    }
    constexpr std::size_t kReach = 4;  // sentences
    const std::size_t from = refers_back(bags[s]) ? std::max(s > kReach ? s - kReach : 0, start) : s;
    for (std::size_t i = from; i < s; ++i) {
      subjects.words.stems.insert(bags[i].stems.begin(), bags[i].stems.end());
    }
    all.push_back(std::move(subjects));
    if (announces(text, spans[s], bags[s])) line = s;
  }
  return all;
}

/// "six months" asked and only "twelve months" said: another case than the one asked for.
bool other_number(const std::vector<Word>& question, const std::vector<Word>& sentence) {
  const auto counted = [](const std::vector<Word>& words, std::size_t i) {
    return i + 1 < words.size() && is_number_word(words[i]) && !is_number_word(words[i + 1]) &&
           !words[i + 1].stop;
  };
  for (std::size_t q = 0; q < question.size(); ++q) {
    if (!counted(question, q)) continue;
    bool same = false, other = false;
    for (std::size_t s = 0; s < sentence.size(); ++s) {
      if (sentence[s].lower == question[q].lower) same = true;
      if (counted(sentence, s) && sentence[s + 1].stem == question[q + 1].stem) {
        other |= sentence[s].lower != question[q].lower;
      }
    }
    if (other && !same) return true;
  }
  return false;
}

float share(float part, float whole) { return whole > 0 ? std::clamp(part / whole, 0.0F, 1.0F) : 0.0F; }

}  // namespace

Question read_question(std::string_view text, const std::vector<std::string>& terms,
                       const std::vector<float>& idf) {
  Question question;
  question.text = std::string(text);
  question.type = answer_type_of(text);
  // Words that the collection does not know weigh as much as its rarest.
  float rarest = 1.0F;
  std::unordered_map<std::string, float> weight_of;
  for (std::size_t i = 0; i < terms.size() && i < idf.size(); ++i) {
    const float weight = std::isfinite(idf[i]) ? std::max(idf[i], 0.05F) : 1.0F;
    for (const Word& word : words_of(terms[i])) weight_of.emplace(word.stem, weight);
    rarest = i == 0 ? weight : std::max(rarest, weight);
  }
  const std::vector<Word> words = words_of(text);
  static const std::unordered_set<std::string_view> kYesNo = {"is",   "are", "was",    "were", "do",   "does",
                                                              "did",  "can", "could",  "may",  "must", "has",
                                                              "have", "had", "should", "will", "would"};
  question.yes_or_no = !words.empty() && kYesNo.contains(words.front().lower);
  for (const bool with_stop_words : {false, true}) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      const Word& word = words[i];
      if ((word.stop && !with_stop_words) || (!with_stop_words && shapes_question(words, i))) continue;
      if (std::find(question.stems.begin(), question.stems.end(), word.stem) != question.stems.end())
        continue;
      const auto weight = weight_of.find(word.stem);
      question.stems.push_back(word.stem);
      question.idf.push_back(weight != weight_of.end() ? weight->second : rarest);
      question.is_name.push_back(is_number_word(word) || word.all_capitals ||
                                 (word.capital && !word.sentence_start));
    }
    if (!question.stems.empty()) break;  // a question of stop words alone is read with them
  }
  return question;
}

Result<std::vector<Candidate>> candidates(engine::Embedder& embedder, const Question& question,
                                          const std::vector<Hit>& hits) {
  std::vector<Candidate> all;
  const std::size_t terms = question.stems.size();
  const float mass = std::accumulate(question.idf.begin(), question.idf.end(), 0.0F);
  float best_bm25 = 0;
  for (const Hit& hit : hits) best_bm25 = std::max(best_bm25, hit.why.bm25.value_or(0.0F));

  const std::vector<Word> asked = words_of(question.text);
  std::vector<std::vector<float>> matches;  // of each candidate: how well it holds each term
  std::vector<float> lexical;
  std::unordered_set<std::string> seen;
  for (std::size_t h = 0; h < hits.size(); ++h) {
    const std::string& text = hits[h].passage.text;
    const Bag heading(hits[h].passage.heading_path + "\n" + hits[h].title);
    std::vector<Bag> bags;
    const std::vector<Span> spans = passage::sentences(text);
    for (const Span span : spans) bags.emplace_back(slice(text, span));
    const std::vector<Subjects> subjects = inherited(text, spans, bags);
    for (std::size_t s = 0; s < spans.size(); ++s) {
      if (bags[s].words.empty() || !seen.insert(std::string(slice(text, spans[s]))).second) continue;
      Candidate candidate;
      candidate.hit = h;
      candidate.local = spans[s];
      candidate.title = subjects[s].title;
      std::vector<float> found(terms);
      float covered = 0, context = 0, names = 0, all_names = 0;
      for (std::size_t t = 0; t < terms; ++t) {
        found[t] = std::max(bags[s].match(question.stems[t]),
                            kInherited * subjects[s].words.match(question.stems[t]));
        covered += question.idf[t] * found[t];
        if (question.is_name[t]) {
          all_names += 1;
          names += found[t];
        }
        if (found[t] >= 1.0F) continue;
        float near = heading.match(question.stems[t]);
        if (s > 0) near = std::max(near, bags[s - 1].match(question.stems[t]));
        if (s + 1 < bags.size()) near = std::max(near, bags[s + 1].match(question.stems[t]));
        context += question.idf[t] * std::max(0.0F, near - found[t]);
      }
      float pairs = 0;
      for (std::size_t t = 0; t + 1 < terms; ++t) {
        for (std::size_t w = 0; w + 1 < bags[s].words.size(); ++w) {
          const std::size_t last = std::min(w + 3, bags[s].words.size());
          bool hit_pair = false;
          if (bags[s].words[w].stem == question.stems[t]) {
            for (std::size_t v = w + 1; v < last; ++v)
              hit_pair |= bags[s].words[v].stem == question.stems[t + 1];
          }
          if (hit_pair) {
            pairs += 1;
            break;
          }
        }
      }
      const std::string_view sentence = slice(text, spans[s]);
      std::size_t fresh = 0;
      for (const Word& word : bags[s].words) {
        fresh += !word.stop && std::find(question.stems.begin(), question.stems.end(), word.stem) ==
                                   question.stems.end()
                     ? 1U
                     : 0U;
      }
      const bool typed = question.type != AnswerType::any;
      const bool holds = holds_answer_of(question.type, sentence, question.text);
      auto& f = candidate.features;
      f[0] = share(covered, mass);
      f[1] = share(context, mass);
      f[2] = terms > 1 ? pairs / static_cast<float>(terms - 1) : 0.0F;
      f[4] = f[5] = std::clamp(hits[h].why.cosine.value_or(0.0F), 0.0F, 1.0F);
      f[6] = 1.0F / static_cast<float>(h + 1);
      f[7] = share(hits[h].why.bm25.value_or(0.0F), best_bm25);
      f[8] = typed && holds ? 1.0F : 0.0F;
      f[9] = typed && !holds ? 1.0F : 0.0F;
      f[10] = std::min(static_cast<float>(fresh), 5.0F) / 5.0F;
      f[11] = bags[s].words.size() < 4 ? 1.0F : 0.0F;
      f[12] = sentence.ends_with('?') ? 1.0F : 0.0F;
      f[13] = all_names > 0 ? names / all_names : 0.0F;
      f[14] = fresh == 0 && !question.yes_or_no ? 1.0F : 0.0F;
      f[15] = other_number(asked, bags[s].words) ? 1.0F : 0.0F;
      lexical.push_back(f[0] + 0.4F * f[1] + 0.2F * f[8] + 0.2F * f[6]);
      matches.push_back(std::move(found));
      all.push_back(candidate);
    }
  }
  if (all.empty()) return all;

  // The rarest term that some sentence holds.
  std::size_t rarest = terms;
  for (std::size_t t = 0; t < terms; ++t) {
    const bool anywhere =
        std::any_of(matches.begin(), matches.end(), [t](const auto& m) { return m[t] >= kInherited; });
    if (anywhere && (rarest == terms || question.idf[t] > question.idf[rarest])) rarest = t;
  }
  for (std::size_t i = 0; rarest < terms && i < all.size(); ++i)
    all[i].features[3] = matches[i][rarest] >= kInherited ? 1.0F : 0.0F;

  // Where a measure is asked for, a sentence without one is no answer while another, as near, has it.
  if (is_measure(question.type)) {
    constexpr float kAsNear = 0.5F;
    const auto nearness = [](const Candidate& one) { return one.features[0] + one.features[1]; };
    float nearest = 0;
    for (const Candidate& one : all) {
      if (one.features[8] > 0 && one.features[15] == 0) nearest = std::max(nearest, nearness(one));
    }
    for (Candidate& one : all) {
      one.features[16] =
          one.features[9] > 0 && nearest > 0 && nearest >= kAsNear * nearness(one) ? 1.0F : 0.0F;
    }
  }

  // Keep the best by words, in their order, and embed those with the question in one call.
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lexical[a] > lexical[b]; });
  if (order.size() > kMaxEmbedded) order.resize(kMaxEmbedded);
  std::sort(order.begin(), order.end());
  std::vector<Candidate> kept;
  std::vector<std::string> texts = {question.text};
  std::vector<std::size_t> embedded;
  for (const std::size_t i : order) {
    const Hit& hit = hits[all[i].hit];
    std::string sentence(slice(hit.passage.text, all[i].local));
    if (!all[i].title.empty()) {  // "Error E07", or the question that it answers
      sentence = std::string(slice(hit.passage.text, all[i].title)) + "\n" + sentence;
    }
    bool fits =
        sentence.size() + 2 <= static_cast<std::size_t>(embedder.max_tokens());  // a token has a byte or more
    if (!fits) {
      const Result<int> tokens = embedder.count_tokens(sentence);
      if (!tokens) return tokens.error();
      fits = *tokens <= embedder.max_tokens();
    }
    if (fits) {  // otherwise the passage's own cosine stands in
      embedded.push_back(kept.size());
      texts.push_back(std::move(sentence));
    }
    kept.push_back(all[i]);
  }
  const Result<std::vector<float>> vectors = embedder.embed(texts);
  if (!vectors) return vectors.error();
  const int size = embedder.dimensions();
  for (std::size_t row = 0; row < embedded.size(); ++row) {
    const float* vector = vectors->data() + (row + 1) * static_cast<std::size_t>(size);
    kept[embedded[row]].features[4] = std::clamp(dot(vectors->data(), vector, size), 0.0F, 1.0F);
  }
  return kept;
}

std::array<float, kAnswerFeatures> answer_features(const Question& question, const std::vector<Hit>& hits,
                                                   const std::vector<Candidate>& candidates,
                                                   const std::vector<float>& scores, std::size_t best) {
  std::array<float, kAnswerFeatures> f{};
  const Candidate& chosen = candidates[best];
  f[0] = scores[best];
  f[1] = std::min(1.0F, chosen.features[0] + chosen.features[1]);
  f[2] = chosen.features[4];
  float runner_up = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].hit != chosen.hit) runner_up = std::max(runner_up, scores[i]);
  }
  f[4] = std::max(0.0F, scores[best] - runner_up);
  float heaviest = 0, missing = 0, missing_mass = 0, mass = 0, passage_missing = 0, names = 0,
        names_missing = 0;
  std::vector<Bag> bags;
  for (const Hit& hit : hits) {
    f[3] = std::max(f[3], std::clamp(hit.why.cosine.value_or(0.0F), 0.0F, 1.0F));
    bags.emplace_back(hit.passage.indexed_text() + "\n" + hit.title);
  }
  for (std::size_t t = 0; t < question.stems.size(); ++t) {
    float anywhere = 0;
    for (const Bag& bag : bags) anywhere = std::max(anywhere, bag.match(question.stems[t]));
    const float here = bags[chosen.hit].match(question.stems[t]);
    const float weight = question.idf[t];
    mass += weight;
    heaviest = std::max(heaviest, weight);
    missing = std::max(missing, weight * (1.0F - anywhere));
    missing_mass += weight * (1.0F - anywhere);
    passage_missing += weight * (1.0F - here);
    if (question.is_name[t]) {
      names += 1;
      names_missing += 1.0F - here;
    }
  }
  f[5] = share(missing, heaviest);
  f[6] = share(missing_mass, mass);
  f[7] = share(passage_missing, mass);
  f[8] = share(names_missing, names);
  f[9] = chosen.features[8];
  f[10] = chosen.features[9];
  f[11] = chosen.features[15];
  // A measure that is asked for and not given is no answer, however near the words are.
  // The forms of prices, shares and frequencies are certain: without one there is nothing to show.
  const bool certain = question.type == AnswerType::money || question.type == AnswerType::percent ||
                       question.type == AnswerType::frequency;
  constexpr float kCertain = 4.0F;
  f[12] = is_measure(question.type) ? chosen.features[9] * (certain ? kCertain : 1.0F) : 0.0F;
  return f;
}

}  // namespace loam::baseline
