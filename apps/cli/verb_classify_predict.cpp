// `loam classify predict`: a stream of texts in, a stream of labels out, each with its probability and
// whether a person should look.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/json.h"
#include "cli/context.h"
#include "cli/interrupt.h"
#include "cli/show.h"
#include "tasks/classifier.h"
#include "tasks/record_stream.h"

namespace loam::cli {
namespace {

// Enough for the embedder to pack texts of like length, few enough that a person sees the first soon.
constexpr std::size_t kTextsPerBatch = 1024;
constexpr std::size_t kReadBytes = 1U << 18U;

/// A file or standard input, read as it comes.
class Input {
 public:
  static Result<Input> open(const std::string& name) {
    if (name == "-") return Input(STDIN_FILENO, "standard input");
    const int descriptor = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
      return Error{Kind::unavailable, name, std::string("cannot be read: ") + std::strerror(errno),
                   "loam classify predict FILE INPUT, or - for standard input"};
    }
    return Input(descriptor, name);
  }
  Input(Input&& other) noexcept : descriptor_(other.descriptor_), name_(std::move(other.name_)) {
    other.descriptor_ = -1;
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  Input& operator=(Input&&) = delete;
  ~Input() {
    if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
  }

  const std::string& name() const { return name_; }
  /// More bytes are there now.
  bool ready() const { return wait(0); }
  /// Waits for bytes, looking up now and then to see whether it should stop. Empty at the end or when
  /// stopped.
  Result<std::string_view> read(std::stop_token stop) {
    while (!stop.stop_requested()) {
      if (!wait(200)) continue;
      buffer_.resize(kReadBytes);
      const ssize_t got = ::read(descriptor_, buffer_.data(), buffer_.size());
      if (got >= 0) return std::string_view(buffer_).substr(0, static_cast<std::size_t>(got));
      if (errno != EINTR && errno != EAGAIN) {
        return Error{Kind::unavailable, name_, std::string("cannot be read: ") + std::strerror(errno), ""};
      }
    }
    return std::string_view();
  }

 private:
  Input(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}
  bool wait(int milliseconds) const {
    pollfd one{descriptor_, POLLIN, 0};
    return ::poll(&one, 1, milliseconds) > 0;
  }
  int descriptor_;
  std::string name_;
  std::string buffer_;
};

struct Tally {
  std::size_t texts = 0, alone = 0, person = 0, problems = 0;
};

/// Writes what the classifier says, in the form in which the texts came.
class Output {
 public:
  Output(Terminal& terminal, const tasks::Classifier& classifier, double threshold)
      : terminal_(terminal), classifier_(classifier), threshold_(threshold) {}

  void write(const tasks::RecordStream& stream, const std::vector<tasks::StreamRecord>& records,
             const std::vector<tasks::Said>& said, Tally& tally) {
    std::size_t next = 0;
    for (const tasks::StreamRecord& record : records) {
      const tasks::Said* one = record.problem.empty() ? &said[next++] : nullptr;
      const bool alone = one != nullptr && one->probability >= threshold_;
      ++tally.texts;
      ++(one == nullptr ? tally.problems : alone ? tally.alone : tally.person);
      const std::string label =
          one == nullptr ? "" : classifier_.labels()[static_cast<std::size_t>(one->label)];
      const std::string_view decision = alone ? "alone" : "ask a person";
      if (terminal_.json() || stream.format() == tasks::StreamFormat::json_lines) {
        Json json = {
            {"line", record.line},
            {"id", record.id.empty() ? Json() : Json(record.id)},
            {"label", one == nullptr ? Json() : Json(label)},
            {"probability", one == nullptr ? Json() : Json(rounded(static_cast<float>(one->probability)))},
            {"decision", decision}};
        if (one == nullptr) json["problem"] = record.problem;
        terminal_.json_line(json);
      } else if (stream.format() == tasks::StreamFormat::csv) {
        const char delimiter = stream.delimiter();
        if (!header_written_) {
          row(stream.header(), {"predicted", "probability", "decision"}, delimiter);
          header_written_ = true;
        }
        row(record.cells,
            {label, one == nullptr ? "" : fmt::format("{:.4f}", one->probability),
             one == nullptr ? "ask a person: " + record.problem : std::string(decision)},
            delimiter);
      } else {
        terminal_.line(fmt::format("{}\t{:.4f}\t{}\t{}", printable(label),
                                   one == nullptr ? 0.0 : one->probability, decision,
                                   printable(record.text)));
      }
    }
    terminal_.flush();
  }

 private:
  void row(const std::vector<std::string>& cells, const std::vector<std::string>& more, char delimiter) {
    std::string line;
    const auto put = [&](const std::string& cell) {
      if (!first_) line += delimiter;
      first_ = false;
      line += tasks::csv_cell(cell, delimiter);
    };
    first_ = true;
    for (const std::string& cell : cells) put(cell);
    for (const std::string& cell : more) put(cell);
    terminal_.out(line + "\n");
  }

  Terminal& terminal_;
  const tasks::Classifier& classifier_;
  double threshold_;
  bool header_written_ = false;
  bool first_ = true;
};

tasks::StreamFormat format_from(const std::string& name) {
  if (name == "csv") return tasks::StreamFormat::csv;
  if (name == "jsonl") return tasks::StreamFormat::json_lines;
  if (name == "lines") return tasks::StreamFormat::lines;
  return tasks::StreamFormat::automatic;
}

}  // namespace

Result<Outcome> run_classify_predict(Context& context) {
  Interrupts interrupts;
  const Options& options = context.options();
  auto classifier = tasks::Classifier::load(context.arguments().front());
  if (!classifier) return classifier.error();
  auto threshold = classifier->threshold_for(options.target);
  if (!threshold) return threshold.error();
  std::unique_ptr<engine::LocalEmbedder> embedder;
  if (tasks::needs_embedder(classifier->method())) {
    auto opened = context.open_embedder();
    if (!opened) return opened.error();
    embedder = *std::move(opened);
  }
  if (auto ok = classifier->check_embedder(embedder.get()); !ok) return ok.error();
  const std::string source = context.arguments().size() > 1 ? context.arguments()[1] : "-";
  if (source == "-" && context.arguments().size() < 2 && ::isatty(STDIN_FILENO) == 1) {
    return Error{Kind::bad_request, "loam classify predict", "the input is missing",
                 context.verb().examples.front().command};
  }
  auto input = Input::open(source);
  if (!input) return input.error();

  Terminal& terminal = context.terminal();
  tasks::RecordStream stream(input->name(), format_from(options.input_format), options.text_column);
  Output output(terminal, *classifier, threshold->threshold);
  const ProgressSink progress = terminal.progress();
  const std::stop_token stop = interrupts.begin();
  const Stopwatch watch;
  Tally tally;
  std::vector<tasks::StreamRecord> records;
  const auto flush = [&]() -> Result<void> {
    std::vector<std::string> texts;
    for (const tasks::StreamRecord& record : records) {
      if (record.problem.empty()) texts.push_back(record.text);
    }
    auto said = classifier->predict(texts, embedder.get(), options.threads);
    if (!said) return said.error();
    terminal.wipe_progress();
    output.write(stream, records, *said, tally);
    if (progress && !terminal.out_is_terminal()) progress({"classifying", tally.texts, 0});
    records.clear();
    return done();
  };
  bool ended = false;
  while (!ended && !stop.stop_requested()) {
    auto bytes = input->read(stop);
    if (!bytes) return bytes.error();
    ended = bytes->empty();
    if (ended) {
      stream.end();
    } else {
      stream.push(*bytes);
    }
    for (;;) {
      tasks::StreamRecord record;
      auto more = stream.next(record);
      if (!more) {
        if (auto written = flush(); !written) return written.error();  // what was whole is not lost
        return more.error();
      }
      if (!*more) break;
      records.push_back(std::move(record));
      if (records.size() < kTextsPerBatch) continue;
      if (auto written = flush(); !written) return written.error();
      if (stop.stop_requested()) break;
    }
    // A slow source: what is there is answered now, not when a batch is full.
    if (!records.empty() && (ended || !input->ready())) {
      if (auto written = flush(); !written) return written.error();
    }
  }
  const bool stopped = stop.stop_requested();
  interrupts.end();
  terminal.wipe_progress();
  const double seconds = watch.milliseconds() / 1000.0;
  const auto share = [&](std::size_t part) {
    return fmt::format(
        "{} ({:.1f}%)", part,
        tally.texts == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(tally.texts));
  };
  terminal.note(
      fmt::format("{}{}: {} decided alone at a target of {:g}%, {} for a person{}; {:.0f} texts/s",
                  stopped ? "stopped after " : "", plural(tally.texts, "text"), share(tally.alone),
                  100.0 * options.target, share(tally.person + tally.problems),
                  tally.problems > 0 ? fmt::format(" ({} of them could not be read)", tally.problems) : "",
                  static_cast<double>(tally.texts) / std::max(seconds, 1e-6)));
  return tally.texts == 0 ? Outcome::empty : Outcome::done;
}

}  // namespace loam::cli
