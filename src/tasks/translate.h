// Translation segment by segment, in which code, numbers, placeholders, addresses, glossary terms and mark-up
// are verified after the model has written, and a segment that breaks one keeps its source text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "base/span.h"
#include "engine/engine.h"
#include "tasks/languages.h"

namespace loam::tasks {

// Glossary -----------------------------------------------------------------------------------------------

struct GlossaryTerm {
  std::string source, target;
  std::size_t line = 0;
};

/// A CSV file with a header and two columns: source term and its translation; an empty translation keeps the
/// term as it is. bad_data with the line for: no header, a row of another width, an empty term, a quote that
/// never closes, one term with two translations. The same row twice counts once.
Result<std::vector<GlossaryTerm>> parse_glossary(std::string_view bytes, const std::string& place);

// Segments -----------------------------------------------------------------------------------------------

enum class TextForm : std::uint8_t { plain, markdown };

/// The spans to translate: sentences of paragraphs, list items, headings, quotes and table cells. All bytes
/// between them (marks, indents, fences with their code, front matter, link definitions, HTML comments, blank
/// lines) stay as they are. Ascending, not overlapping, on code point borders.
std::vector<Span> segments_of(std::string_view text, TextForm form);

/// What must come out as it went in.
enum class KeptKind : std::uint8_t { code, url, placeholder, tag, number };
std::string_view name_of(KeptKind kind);
struct Kept {
  KeptKind kind = KeptKind::code;
  Span span;         ///< bytes of the segment
  std::string text;  ///< numbers: their digits
};
/// In order, not overlapping: `code`, URLs and e-mail addresses, {name} {{name}} ${name} %s %1$d %(name)s,
/// <tags/> and &entities;, numbers. Linear time.
std::vector<Kept> kept_in(std::string_view segment);

struct Violation {
  std::string
      kind;  ///< "number", "placeholder", "tag", "url", "code", "glossary", "markup", "length", "empty"
  std::string what;  ///< "12 is missing", "%s is there twice"
};
/// Empty: the translation may stand. Kept things must occur as often as in the source, numbers by their
/// digits (1,200.50 may become 1 200,50); a glossary term of the source must be there in its translation;
/// Markdown's marks (** * _ ~~ [ ]( )) must be as many; and the length must be that of a translation.
std::vector<Violation> verify(std::string_view source, std::string_view translation,
                              std::span<const GlossaryTerm> glossary, TextForm form);

// Translation --------------------------------------------------------------------------------------------

struct TranslateOptions {
  Language to;
  std::optional<Language> from;
  TextForm form = TextForm::markdown;
  std::vector<GlossaryTerm> glossary;
  bool mark_kept = true;  ///< put kMarkOpen and kMarkClose around segments that keep their source text
  engine::Sampling sampling = {};
};

inline constexpr std::string_view kMarkOpen = "\xE2\x9F\xA6";   // ⟦
inline constexpr std::string_view kMarkClose = "\xE2\x9F\xA7";  // ⟧

enum class SegmentFate : std::uint8_t {
  translated,  ///< at the first try
  retried,     ///< at the second
  kept,        ///< both tries broke something: the source text stands, marked
  nothing,     ///< nothing in it can be translated: numbers, code, addresses
};
std::string_view name_of(SegmentFate fate);

struct TranslatedSegment {
  Span span;             ///< bytes of the source text
  std::size_t line = 0;  ///< 1-based, where it begins
  std::string source, text;
  SegmentFate fate = SegmentFate::nothing;
  bool same = false;                  ///< what stands there equals the source: nothing was translated
  std::vector<Violation> violations;  ///< of the last try, for kept; of the first, for retried
};

struct Translation {
  std::string text;
  std::vector<TranslatedSegment> segments;
  std::size_t translated = 0, retried = 0, kept = 0, nothing = 0, same = 0;  ///< same: among all of them
  std::string model;
  engine::Usage usage;
  double total_ms = 0;
};

/// `engine` null: the baseline, which copies the source. A segment longer than the context keeps its source
/// text with the violation "length". Fails for faults of the engine, and when stopped (unavailable).
Result<Translation> translate(engine::Engine* engine, std::string_view text, const TranslateOptions& options,
                              const ProgressSink& progress = {}, std::stop_token stop = {});

}  // namespace loam::tasks
