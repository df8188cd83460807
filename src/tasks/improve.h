// Which settings are best for this data? Searched on one part of it, confirmed once on another, adopted only
// when a paired test says so. docs/decisions/0014 has the rules.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json_fwd.h"
#include "base/progress.h"
#include "base/result.h"
#include "eval/held_out.h"
#include "eval/ledger.h"
#include "eval/significance.h"
#include "store/store.h"

namespace loam::tasks {

/// A value for each setting that may vary: configuration key to text, as a settings file has them.
using Arm = std::map<std::string, std::string>;

/// One setting that may vary. A search space is a table of these; whatever can be set is one more row.
struct SpaceRow {
  std::string key;                          ///< "ask.passages"
  std::string words;                        ///< "passages shown to the model"
  std::vector<std::string> values;          ///< to try; ascending where that means something
  bool recut = false;                       ///< documents must be cut and embedded again
  std::map<std::string, std::string> said;  ///< a value in words, where "words value" would not do
};

/// What items are said to share, so that they stay in one part.
struct Grouping {
  std::string word;  ///< "document", "passage", "question"
  std::vector<std::string> group_of;
};

/// How long a run may take, and who is told.
struct RunLimits {
  double seconds = 0;  ///< after which it ends with the items it has
  const Clock& clock;
  const ProgressSink& progress;
  std::stop_token stop;
};

/// What is being improved: questions over a collection, queries, or texts to classify.
class ImprovePipeline {
 public:
  virtual ~ImprovePipeline() = default;
  virtual std::string task() const = 0;         ///< of the ledger: "qa"
  virtual std::string metric() const = 0;       ///< higher is better
  virtual std::string item_word() const = 0;    ///< "question"
  virtual std::string fingerprint() const = 0;  ///< of what the items are asked of: a collection
  virtual const eval::DataVersion& data() const = 0;
  virtual const std::vector<SpaceRow>& space() const = 0;
  virtual Arm current() const = 0;
  /// Settings without effect beside the others take their current value, so that no arm is tried twice.
  virtual Arm canonical(Arm arm) const = 0;
  virtual std::size_t items() const = 0;
  virtual std::string item_id(std::size_t item) const = 0;
  /// Coarsest first; the last one always parts the items.
  virtual std::vector<Grouping> groupings() const = 0;
  /// Called once before the first run. May change the order in which the search takes items.
  virtual void divide(eval::HeldOutSplit& split) { (void)split; }
  /// One result for each item, in order; fewer when time was up or `stop` asked for it. `tokens` is added to.
  virtual Result<std::vector<eval::ItemResult>> run(const Arm& arm, std::span<const std::size_t> items,
                                                    const RunLimits& limits, std::uint64_t& tokens) = 0;
};

struct ImproveRequest {
  std::string scope;          ///< for whom settings are adopted: store::scope_of(collection), "data /a/b.csv"
  std::string scope_name;     ///< for people: collection "handbook"
  double budget_seconds = 0;  ///< of trials and confirmation; 0: no limit, then `trials` must be given
  std::size_t trials = 0;     ///< 0: no limit
  double held_out_share = 0.4;
  std::uint64_t seed = 1;
  double level = 0.05;   ///< of the first look at the held-out part; each further one has half of it
  bool dry_run = false;  ///< search only: the held-out part is not looked at
  bool again = false;    ///< look at a held-out part that was looked at before
  bool fresh = false;    ///< begin anew where an interrupted search could be taken up
  std::string scoring;   ///< whatever else shapes a score: "a wrong answer costs 1"
  std::vector<eval::ModelUse> models;
  std::string version;
};

enum class ImproveEnd : std::uint8_t {
  current_is_best,  ///< nothing tried was better on the development part; the held-out part was not looked at
  dry_run,          ///< something was, and that is all that was asked for
  not_shown,        ///< it was not shown to be better on the held-out part
  better,           ///< it was; adopt_run() makes it count
  out_of_budget,    ///< the time did not suffice for the confirmation
  stopped           ///< interrupted; the same request goes on from here
};
std::string_view name_of(ImproveEnd end);

struct TriedArm {
  std::string name;  ///< what it changes: "passages shown 6, fusion weight of words 0.7"
  Arm changes;
  std::size_t items = 0;
  double mean = 0;
  double seconds = 0;
};

struct Improvement {
  ImproveEnd end = ImproveEnd::current_is_best;
  std::string search;  ///< names it in the ledger: a hash of all that shapes it
  std::string task, metric, item_word, group_word;
  Arm current;
  Arm changes;              ///< of the winner against `current`
  std::string winner_name;  ///< "current settings" when they are the best
  bool recut = false;       ///< the winner needs another cut of the documents
  std::vector<TriedArm>
      tried;                 ///< most items first, of these the best first; the current settings among them
  std::size_t trials = 0;    ///< measured or taken from the ledger
  std::size_t recalled = 0;  ///< of these, taken from the ledger
  std::size_t untried = 0;   ///< arms for which time or trials did not suffice
  std::size_t development_items = 0, held_out_items = 0, development_groups = 0, held_out_groups = 0;
  double development_current = 0, development_winner = 0;  ///< means over the same items
  std::optional<eval::PairedResult> held_out;              ///< a: current, b: winner
  int look = 0;      ///< which look at the held-out part of this data this was; 0: none
  double level = 0;  ///< at which the held-out part decided
  double seconds = 0;
  std::string sentence;      ///< what came of it, for a person
  std::optional<RunId> run;  ///< the ledger's row of this search; none when stopped
  std::vector<std::string> notes;
};

/// The whole cycle but for the adoption. Every trial is a run (split "dev"), so are both contestants of the
/// confirmation (split "held-out"), and the search itself is one (task "improve"). Trials that the ledger has
/// already are not repeated.
/// bad_data when there are too few items; bad_request when the held-out part of this data was looked at and
/// `again` is not set, or when an interrupted search was begun on another state of the collection and `fresh`
/// is not set; out_of_room when the budget does not fit one trial.
Result<Improvement> improve(ImprovePipeline& pipeline, store::Store& ledger, const ImproveRequest& request,
                            const Clock& clock = system_clock(), const ProgressSink& progress = {},
                            std::stop_token stop = {});

/// A search of the ledger, as far as adopting and drawing it need.
struct ImproveStep {
  RunId run{};
  std::int64_t at = 0;
  std::string task, metric, scope, scope_name, data_file, winner_name, decision;
  Arm changes;
  bool recut = false;
  eval::Estimate gain;  ///< on the held-out part; of development, and without interval, where not confirmed
  bool confirmed = false;
  double p = 1;
  int look = 0;
  bool adopted = false, taken_back = false;
};
/// Oldest first. Empty task or scope: all.
Result<std::vector<ImproveStep>> improvement_history(store::Store& ledger, std::string_view task = {},
                                                     std::string_view scope = {});

/// The search behind a row of the ledger. bad_request when the row is none.
Result<ImproveStep> improvement_of(store::Store& ledger, RunId run);

/// Makes the winner of a confirmed search count from now on, on top of what its scope has adopted before.
/// bad_request when the search did not end with "better" or was adopted already.
Result<store::Adoption> adopt_run(store::Store& ledger, const ImproveStep& step, std::int64_t at);

/// The settings of an adoption. bad_data when they are not what adopt_run() writes.
Result<Arm> settings_of(const store::Adoption& adoption);

/// Gains of what was adopted, summed over time, with their interval: one line for each scope and metric.
std::string improvement_svg(const std::vector<ImproveStep>& steps);
/// The same as a page, with each confirmation's own interval and a table of all searches.
std::string improvement_html(const std::vector<ImproveStep>& steps);

/// For a series of independent confirmations: the sum, with the root of the summed squares as half-widths.
std::vector<eval::Estimate> cumulative_gain(const std::vector<ImproveStep>& steps);

/// "passages shown 6, fusion weight of words 0.7"; "current settings" for no changes.
std::string name_of_changes(const std::vector<SpaceRow>& space, const Arm& changes);
/// "questions", "queries": for words of ImprovePipeline.
std::string plural_of(const std::string& word);
/// What `arm` changes about `from`.
Arm changes_between(const Arm& from, const Arm& arm);

}  // namespace loam::tasks
