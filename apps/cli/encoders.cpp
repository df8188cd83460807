#include "cli/encoders.h"

#include <fmt/format.h>

#include "cli/eval_common.h"
#include "engine/adapters.h"
#include "engine/base_identity.h"

namespace loam::cli {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& file) {
  std::error_code ignored;
  return fs::is_regular_file(file, ignored);
}

/// Whether an adapter is of this kind and names this very model.
bool is_for(const engine::AdapterInfo& info, engine::HeadKind kind, const std::string& identity) {
  return info.head == engine::name_of(kind) && info.base_identity == identity;
}

}  // namespace

Result<std::optional<fs::path>> encoder_file(Context& context, engine::HeadKind kind,
                                             const std::string& wanted, const fs::path& base) {
  if (wanted == "none") return std::optional<fs::path>();
  const engine::InstalledAdapters installed(context.home());
  if (!wanted.empty() && wanted != "auto") {
    auto file = installed.resolve(wanted);
    if (!file) return file.error();
    return std::optional<fs::path>(*file);
  }
  const fs::path shipped = own_program().parent_path() / ".." / "lib" / "loam" / "adapters" /
                           fmt::format("{}.gguf", engine::name_of(kind));
  std::error_code ignored;
  const bool has_own = fs::exists(installed.folder(), ignored);
  if (!has_own && !is_there(shipped)) return std::optional<fs::path>();  // spares reading the model
  const auto identity = engine::base_identity(base);
  if (!identity) return identity.error();
  if (has_own) {
    auto list = installed.list();
    if (!list) return list.error();
    const engine::InstalledAdapter* chosen = nullptr;
    for (const engine::InstalledAdapter& one : *list) {
      const bool counts = one.in_use || one.promotion != engine::Promotion::no;
      if (!counts || !is_for(one.info, kind, *identity)) continue;
      if (chosen == nullptr || (one.in_use && !chosen->in_use)) chosen = &one;
    }
    if (chosen != nullptr) return std::optional<fs::path>(chosen->file);
  }
  if (!is_there(shipped)) return std::optional<fs::path>();
  const auto info = engine::read_adapter(shipped);
  if (!info) return info.error();
  if (!is_for(*info, kind, *identity)) {
    context.logger().debug(shipped.string() + " is for another model and takes no part");
    return std::optional<fs::path>();
  }
  return std::optional<fs::path>(fs::weakly_canonical(shipped, ignored));
}

Result<Encoders> open_encoders(Context& context, engine::LocalEmbedder& embedder, Reads reads) {
  Encoders encoders;
  const Options& options = context.options();
  const std::shared_ptr<engine::LocalModel> model = embedder.shared_model();
  engine::LocalEncoderOptions how;
  how.threads = options.threads;
  const auto open = [&](auto& slot, engine::HeadKind kind, const std::string& wanted,
                        const auto& opened_by) -> Result<void> {
    auto file = encoder_file(context, kind, wanted, model->file());
    if (!file) return file.error();
    if (!file->has_value()) return done();
    auto opened = opened_by(model, **file, how, context.logger());
    if (!opened) return opened.error();
    slot = *std::move(opened);
    auto use = model_use(std::string(engine::name_of(kind)), (*file)->stem().string(), **file);
    if (!use) return use.error();
    encoders.models.push_back(std::move(*use));
    return done();
  };
  if (auto ok =
          open(encoders.reranker, engine::HeadKind::reranker, options.reranker, engine::LocalReranker::open);
      !ok)
    return ok.error();
  if (reads == Reads::no) return encoders;
  if (auto ok =
          open(encoders.reader, engine::HeadKind::reader, options.span_reader, engine::LocalSpanReader::open);
      !ok)
    return ok.error();
  return encoders;
}

}  // namespace loam::cli
