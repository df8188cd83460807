// bench_ingest: peak memory and speed of ingest. Each run is a process of its own, and the reader works in
// it, so that its memory counts.
//   office   200 MB as an office has them: PDFs that are mostly picture, some CSV, HTML and Markdown; the
//   real
//            model embeds every passage
//   text     200 MB of Markdown; the real tokenizer cuts and the model embeds one call in --embed-every, the
//            others get made-up vectors, because embedding 200 MB of words takes hours and adds no memory
//   growth   1,000, 4,000 and 16,000 small files, as text: what a file costs once SQLite's page cache (32
//   MiB) is full
// --part=NAME takes one of them. The check: every file is ingested, and the store finds itself sound.
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

void write_file(const std::filesystem::path& file, const std::string& bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  out << bytes;
  if (!out.flush()) fail("cannot write " + file.string());
}

/// One page: a paragraph of words over a picture of noise, as a scanned form or a slide has it.
std::string generated_pdf(int width, int height, std::mt19937_64& random) {
  std::string words = "BT /F1 10 Tf 50 780 Td 14 TL\n";
  std::string line;
  for (const char letter : generated_text(900, random)) {
    if (letter == '\n' || letter == '#') continue;
    line += letter;
    if (line.size() < 80 || letter != ' ') continue;
    words += "(" + line + ") Tj T*\n";
    line.clear();
  }
  words += "ET\nq 400 0 0 300 50 50 cm /Im1 Do Q\n";
  std::string picture(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3, '\0');
  for (std::size_t i = 0; i < picture.size(); ++i) picture[i] = static_cast<char>(random() & 0xFF);
  const std::vector<std::string> objects{
      "<</Type/Catalog/Pages 2 0 R>>",
      "<</Type/Pages/Kids[3 0 R]/Count 1>>",
      "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>"
      "/XObject<</Im1 6 0 R>>>>>>",
      "<</Length " + std::to_string(words.size()) + ">>stream\n" + words + "endstream",
      "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
      "<</Type/XObject/Subtype/Image/Width " + std::to_string(width) + "/Height " + std::to_string(height) +
          "/ColorSpace/DeviceRGB/BitsPerComponent 8/Length " + std::to_string(picture.size()) + ">>stream\n" +
          picture + "\nendstream"};
  std::string pdf = "%PDF-1.4\n";
  std::string table = "xref\n0 " + std::to_string(objects.size() + 1) + "\n0000000000 65535 f \n";
  for (std::size_t i = 0; i < objects.size(); ++i) {
    char entry[32];
    std::snprintf(entry, sizeof entry, "%010zu 00000 n \n", pdf.size());
    table += entry;
    pdf += std::to_string(i + 1) + " 0 obj\n" + objects[i] + "\nendobj\n";
  }
  const std::size_t start = pdf.size();
  return pdf + table + "trailer<</Size " + std::to_string(objects.size() + 1) + "/Root 1 0 R>>\nstartxref\n" +
         std::to_string(start) + "\n%%EOF\n";
}

/// 99% of the bytes in PDFs of 2 MB, the rest in CSV, HTML and Markdown of 40 kB. Returns the files made.
std::size_t generate_office(const std::filesystem::path& folder, std::size_t megabytes) {
  std::filesystem::remove_all(folder);
  std::mt19937_64 random(1);
  std::size_t files = 0;
  const auto name = [&](const char* ending) {
    const std::size_t number = files++;
    return folder / ("team-" + std::to_string(number % 7)) / ("paper-" + std::to_string(number) + ending);
  };
  for (std::size_t i = 0; i < megabytes / 2; ++i) write_file(name(".pdf"), generated_pdf(1000, 660, random));
  for (std::size_t i = 0; i < std::max<std::size_t>(megabytes / 10, 1); ++i) {
    constexpr std::size_t kBytes = 40'000;
    std::string csv = "item,place,amount,note\n";
    while (csv.size() < kBytes) {
      csv += generated_text(8, random).substr(18, 8) + "," + std::to_string(random() % 100) + "," +
             std::to_string(random() % 10'000) + ",kept\n";
    }
    write_file(name(".csv"), csv);
    write_file(name(".html"), "<!DOCTYPE html><html><head><title>Page</title></head><body><h1>Page " +
                                  std::to_string(i) + "</h1><p>" + generated_text(kBytes, random) +
                                  "</p></body></html>");
    write_file(name(".md"), "# Note " + std::to_string(i) + "\n\n" + generated_text(kBytes, random));
  }
  return files;
}

std::filesystem::path pdfium() {
  const char* folder = std::getenv("LOAM_DEPS");
  return std::filesystem::path(folder != nullptr ? folder : "build/deps") / "pdfium/lib/libpdfium.so";
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
    reader::Reader::Options reading;  // in this process: its memory counts
    reading.libraries.pdfium = pdfium();
    auto reader = must(reader::Reader::open(reading));
    const auto summary = must(index::ingest(
        *store, collection.id, *reader, embedder, {folder}, {}, [](const index::FileVerdict& one) {
          if (one.verdict == index::Verdict::failed)
            std::fprintf(stderr, "%s: %s\n", one.file.c_str(), one.reason.c_str());
        }));
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

double megabytes_in(const std::filesystem::path& folder) {
  double bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) bytes += static_cast<double>(entry.file_size());
  return bytes / 1e6;
}

int run(int argc, char** argv) {
  std::vector<std::string> others;
  const Settings settings = settings_from(argc, argv, &others);
  const auto megabytes = std::max<std::size_t>(std::stoul(other(others, "megabytes", "200")), 2);
  const int every = std::stoi(other(others, "embed-every", "200"));
  const std::string part = other(others, "part", "");
  const Json before = machine();
  const std::filesystem::path folder = settings.work / "ingest-files";
  Json result{{"embed_every", every}};
  bool within = true;

  std::printf("%-8s %8s %8s %10s %10s %9s\n", "part", "files", "MB", "passages", "peak MiB", "seconds");
  const auto measure = [&](const char* what, std::size_t files, int embed_every) {
    Json row = ingest_in_child(settings, folder, files, embed_every);
    row["megabytes"] = megabytes_in(folder);
    std::printf("%-8s %8zu %8.1f %10llu %10.1f %9.1f\n", what, files, row.at("megabytes").get<double>(),
                static_cast<unsigned long long>(row.at("passages").get<std::uint64_t>()),
                row.at("peak_mib").get<double>(), row.at("seconds").get<double>());
    std::fflush(stdout);
    return row;
  };
  const auto check_peak = [&](const Json& row) { within = within && row.at("peak_mib").get<double>() < 600; };
  if (part.empty() || part == "growth") {
    Json rows = Json::array();
    for (const std::size_t files : {1000, 4000, 16000}) {
      generate_folder(folder, files, 2000);
      rows.push_back(measure("growth", files, every));
    }
    result["growth_mib_per_1000_files"] =
        (rows[2].at("peak_mib").get<double>() - rows[1].at("peak_mib").get<double>()) / 12.0;
    result["growth"] = rows;
  }
  if (part.empty() || part == "office") {
    result["office"] = measure("office", generate_office(folder, megabytes), 1);
    check_peak(result["office"]);
  }
  if (part.empty() || part == "text") {
    generate_folder(folder, megabytes, 1'000'000);
    result["text"] = measure("text", megabytes, every);
    check_peak(result["text"]);
  }
  std::filesystem::remove_all(folder);
  if (part != "growth") std::printf("\npeak %s 600 MiB\n", within ? "below" : "NOT below");
  keep(settings, part.empty() ? "ingest" : "ingest-" + part, result, before);
  return within ? 0 : 1;
}

}  // namespace
}  // namespace loam::bench

int main(int argc, char** argv) { return loam::bench::run(argc, argv); }
