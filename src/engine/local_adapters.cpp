// LocalEngine's adapters: which are loaded, and which are in force.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "engine/adapter_check.h"
#include "engine/local_engine.h"
#include "engine/local_engine_impl.h"

namespace loam::engine {
namespace {

std::string short_number(float value) {
  std::array<char, 32> text{};
  const auto [end, failure] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

/// Another file under the same name is another adapter.
std::string key_of(const std::filesystem::path& file) {
  std::error_code failure;
  const auto size = std::filesystem::file_size(file, failure);
  const auto changed = std::filesystem::last_write_time(file, failure).time_since_epoch().count();
  return std::filesystem::absolute(file, failure).string() + "\n" + std::to_string(size) + "\n" +
         std::to_string(changed);
}

}  // namespace

bool AdapterSet::is(const std::vector<Adapter>& other, const std::vector<LoadedAdapter>& theirs) const {
  return loaded == theirs &&
         std::equal(wanted.begin(), wanted.end(), other.begin(), other.end(),
                    [](const Adapter& a, const Adapter& b) { return a.scale == b.scale; });
}

Result<LoadedAdapter> LocalEngine::Impl::load_adapter(const Adapter& wanted) {
  const std::string place = wanted.file.string();
  if (!std::isfinite(wanted.scale) || std::abs(wanted.scale) > 1000.0F) {
    return Error{Kind::bad_request, place, "the scale must be a number from -1000 to 1000", "use 1"};
  }
  const std::string key = key_of(wanted.file);
  if (const auto found = shelf.find(key); found != shelf.end()) {
    if (LoadedAdapter there = found->second.lock()) return there;
  }
  const auto match = check_adapter_base(wanted.file, model->file());
  if (!match) return match.error();
  if (*match == BaseMatch::shapes_only) {
    logger->warning(wanted.file.stem().string() + " does not say which model it was trained on; it fits " +
                    model->name());
  }
  LlamaLogScope log(*logger);
  const std::lock_guard lock(model->impl().adapters_mutex);
  llama_adapter_lora* handle = nullptr;
  try {
    handle = llama_adapter_lora_init(model->impl().model.get(), wanted.file.c_str());
  } catch (const std::exception& failure) {
    return Error{Kind::bad_data, place, failure.what(), "check that it was trained on this model"};
  }
  if (handle == nullptr) {
    return Error{Kind::bad_data, place, log.last_error("llama.cpp could not load the adapter"),
                 "check that it was trained on " + model->name()};
  }
  LoadedAdapter loaded(handle, [owner = model](llama_adapter_lora* old) {
    const std::lock_guard guard(owner->impl().adapters_mutex);
    llama_adapter_lora_free(old);
  });
  std::erase_if(shelf, [](const auto& one) { return one.second.expired(); });
  shelf[key] = loaded;
  return loaded;
}

Result<void> LocalEngine::Impl::apply(const AdapterSet& from, llama_context* to) {
  std::vector<llama_adapter_lora*> handles;
  std::vector<float> scales;
  for (std::size_t i = 0; i < from.loaded.size(); ++i) {
    handles.push_back(from.loaded[i].get());
    scales.push_back(from.wanted[i].scale);
  }
  LlamaLogScope log(*logger);
  const int code = llama_set_adapters_lora(to, handles.data(), handles.size(), scales.data());
  if (code != 0) return failed(log, code, "the adapters could not be applied");
  return done();
}

Result<void> LocalEngine::Impl::choose_adapters(const std::vector<Adapter>& wanted) {
  std::vector<LoadedAdapter> loaded;
  for (const Adapter& adapter : wanted) {
    auto one = load_adapter(adapter);
    if (!one) return one.error();
    loaded.push_back(*std::move(one));
  }
  AdapterSet* chosen = nullptr;
  for (const auto& there : sets) {
    if (there->is(wanted, loaded)) chosen = there.get();
  }
  if (chosen == nullptr) {
    auto fresh = std::make_unique<AdapterSet>();
    fresh->wanted = wanted;
    fresh->loaded = loaded;
    if (sets.size() < static_cast<std::size_t>(options.adapter_sets)) {
      auto made = make_context(options.context_tokens, options.batch_tokens, options.micro_batch_tokens, 1);
      if (made) {
        fresh->writing.context = *std::move(made);
      } else if (made.error().kind != Kind::out_of_room || sets.empty()) {
        return made.error();
      }
    }
    if (fresh->writing.context) {
      if (auto applied = apply(*fresh, fresh->writing.context.get()); !applied) return applied;
      sets.push_back(std::move(fresh));
    } else {
      // No more may be kept, or fit: the one that was not used for longest gives its context.
      const auto oldest = std::min_element(sets.begin(), sets.end(),
                                           [](const auto& a, const auto& b) { return a->used < b->used; });
      if (auto applied = apply(*fresh, (*oldest)->writing.context.get()); !applied) return applied;
      fresh->writing = std::move((*oldest)->writing);
      fresh->writing.clear();
      if (scoring.context && set == oldest->get()) {
        scoring.clear();
        if (auto applied = apply(*fresh, scoring.context.get()); !applied) return applied;
      }
      sets.erase(oldest);
      sets.push_back(std::move(fresh));
    }
    chosen = sets.back().get();
  }
  if (scoring.context && chosen != set) {
    scoring.clear();
    if (auto applied = apply(*chosen, scoring.context.get()); !applied) return applied;
  }
  set = chosen;
  set->wanted = wanted;
  set->used = ++choices;
  set->name = model->name();
  for (const Adapter& adapter : wanted) {
    set->name += "+" + adapter.file.stem().string();
    if (adapter.scale != 1.0F) set->name += ":" + short_number(adapter.scale);
  }
  return done();
}

Result<void> LocalEngine::set_adapters(const std::vector<Adapter>& adapters) {
  return impl_->choose_adapters(adapters);
}

}  // namespace loam::engine
