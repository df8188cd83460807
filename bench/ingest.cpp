// bench_ingest: peak memory and speed of ingest, on a generated folder of 200 MB and on growing numbers of
// files. Each run is a process of its own. The real tokenizer cuts; the real model embeds one batch in
// `--embed-every` (its memory is all there), the other batches get stand-in vectors, because embedding 200 MB
// takes hours and does not change the peak. The check: every file is ingested, and the store finds itself
// sound.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <random>

#include "base/clock.h"
#include "base/json.h"
#include "engine/local_embedder.h"
#include "index/ingest.h"
#include "reader/reader.h"
#include "store/store.h"
#include "support/process.h"
#include "support/report.h"

namespace loam::bench {
namespace {

/// The model's tokenizer and memory, with most vectors made up.
class SampledEmbedder final : public engine::Embedder {
 public:
  SampledEmbedder(engine::Embedder& inner, int every) : inner_(inner), every_(every) {}
  const std::string& model_name() const override { return inner_.model_name(); }
  const std::string& fingerprint() const override { return inner_.fingerprint(); }
  int dimensions() const override { return inner_.dimensions(); }
  int max_tokens() const override { return inner_.max_tokens(); }
  Result<int> count_tokens(std::string_view text) override { return inner_.count_tokens(text); }
  Result<std::vector<float>> embed(std::span<const std::string> texts) override {
    if (calls_++ % every_ == 0) return inner_.embed(texts);
    const auto dimensions = static_cast<std::size_t>(inner_.dimensions());
    return std::vector<float>(texts.size() * dimensions, 1.0F / std::sqrt(static_cast<float>(dimensions)));
  }

 private:
  engine::Embedder& inner_;
  int every_;
  int calls_ = 0;
};

/// Markdown of about `bytes` with headings and paragraphs, words drawn by seed.
std::string generated_text(std::size_t bytes, std::mt19937_64& random) {
  static const std::vector<std::string> syllables{"ta",  "ri",  "no", "sel", "mar", "ke",  "dou", "lin",
                                                  "pra", "ves", "ol", "un",  "gha", "ter", "mi",  "co"};
  std::string text;
  std::size_t sentence = 0;
  while (text.size() < bytes) {
    if (sentence % 40 == 0) text += "\n\n## Section " + std::to_string(sentence / 40) + "\n\n";
    if (sentence % 8 == 7) text += "\n\n";
    const std::size_t words = 6 + random() % 14;
    for (std::size_t word = 0; word < words; ++word) {
      const std::size_t parts = 1 + random() % 3;
      for (std::size_t part = 0; part < parts; ++part) text += syllables[random() % syllables.size()];
      text += word + 1 == words ? ". " : " ";
    }
    ++sentence;
  }
  return text;
}

void generate_folder(const std::filesystem::path& folder, std::size_t files, std::size_t bytes_per_file) {
  std::filesystem::remove_all(folder);
  std::mt19937_64 random(files);
  for (std::size_t i = 0; i < files; ++i) {
    const std::filesystem::path file =
        folder / std::to_string(i / 500) / ("note-" + std::to_string(i) + ".md");
    std::filesystem::create_directories(file.parent_path());
    std::ofstream out(file, std::ios::binary);
    out << "# Note " << i << "\n\n" << generated_text(bytes_per_file, random) << "\n";
    if (!out.flush()) fail("cannot write " + file.string());
  }
}

Json ingest_in_child(const Settings& settings, const std::filesystem::path& folder, std::size_t files,
                     int every) {
  const std::filesystem::path store_file = settings.work / "ingest-store.db";
  for (const char* ending : {"", "-wal", "-shm"}) std::filesystem::remove(store_file.string() + ending);
  const std::filesystem::path note = settings.work / "ingest-passages.txt";
  const ChildUse use = in_child([&] {
    auto store = must(store::Store::open(store_file));
    auto model = must(engine::LocalEmbedder::open(settings.models / "all-minilm-l6-v2.gguf"));
    SampledEmbedder embedder(*model, every);
    const auto collection = must(store->ensure_collection("bench", embedder.model_name(),
                                                          embedder.fingerprint(), embedder.dimensions()));
    auto reader = must(reader::Reader::open({}));  // in this process: its memory counts
    const auto summary = must(index::ingest(*store, collection.id, *reader, embedder, {folder}, {},
                                            [](const index::FileVerdict&) {}));
    std::ofstream(note) << summary.passages;
    return summary.ingested == static_cast<int>(files) && summary.failed == 0 ? 0 : 1;
  });
  std::uint64_t passages = 0;
  std::ifstream(note) >> passages;
  const bool sound = must(must(store::Store::open(store_file))->check()).empty();
  if (!use.ok || !sound) fail("ingest of " + folder.string() + " failed or left the store unsound");
  return {{"files", files},
          {"passages", passages},
          {"peak_mib", use.peak_mib},
          {"seconds", use.seconds},
          {"cpu_seconds", use.cpu_seconds},
          {"store_bytes", std::filesystem::file_size(store_file)}};
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const auto megabytes = static_cast<std::size_t>(std::stoul(other(others, "megabytes", "200")));
  const int every = std::stoi(other(others, "embed-every", "200"));
  const Json before = machine();
  const std::filesystem::path folder = settings.work / "ingest-files";
  Json result{{"embed_every", every}};

  std::printf("%10s %10s %10s %10s %9s\n", "files", "MB", "passages", "peak MiB", "seconds");
  const auto line = [](const Json& row, double mb) {
    std::printf("%10llu %10.1f %10llu %10.1f %9.1f\n",
                static_cast<unsigned long long>(row.at("files").get<std::uint64_t>()), mb,
                static_cast<unsigned long long>(row.at("passages").get<std::uint64_t>()),
                row.at("peak_mib").get<double>(), row.at("seconds").get<double>());
  };
  result["growth"] = Json::array();
  for (const std::size_t files : {500, 1000, 2000, 4000, 8000}) {
    constexpr std::size_t kBytes = 2000;
    generate_folder(folder, files, kBytes);
    result["growth"].push_back(ingest_in_child(settings, folder, files, every));
    line(result["growth"].back(), static_cast<double>(files * kBytes) / 1e6);
  }
  const std::size_t files = std::max<std::size_t>(megabytes, 1);
  generate_folder(folder, files, 1'000'000);
  result["large"] = ingest_in_child(settings, folder, files, every);
  line(result["large"], static_cast<double>(files));
  std::filesystem::remove_all(folder);

  const double first = result["growth"].front().at("peak_mib").get<double>();
  const double last = result["growth"].back().at("peak_mib").get<double>();
  const double large = result["large"].at("peak_mib").get<double>();
  result["growth_mib_per_1000_files"] = (last - first) / 7.5;
  std::printf(
      "\npeak for %zu MB: %.0f MiB (target below 600); from 500 to 8,000 files it grows by %.1f MiB\n", files,
      large, last - first);
  keep(settings, "ingest", result, before);
  return large < 600 ? 0 : 1;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
