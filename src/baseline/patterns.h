// Values that are found by their form and by the words beside them: what a language model has to beat when it
// extracts fields from a text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/span.h"

namespace loam::baseline {

enum class ValueForm : std::uint8_t { date, money, percent, number, email, phone, iban, url, card, code };
std::string_view name_of(ValueForm form);

/// One value of a text.
struct FormedValue {
  ValueForm form = ValueForm::number;
  Span span;          ///< bytes of the text, unit and sign included
  std::string value;  ///< "2024-03-03", "1200.5", "DE89370400440532013000", an e-mail address in lower case;
                      ///< what has two meanings (03/04/2024) as written with '?'
  std::string unit;   ///< "EUR" for money; else empty
};

/// In order of their start, not overlapping. An IBAN is one only when its length fits the country and its
/// check digits are right (ISO 13616, modulo 97), a card's number only with 13 to 19 digits of which the last
/// is right (ISO/IEC 7812-1). Money is a number beside a currency's sign or ISO 4217
/// code. Linear time; any bytes.
std::vector<FormedValue> find_values(std::string_view text);

/// True for the letters and digits of a whole IBAN, spaces allowed between them.
bool is_iban(std::string_view text);

/// "invoiceNumber", "invoice_number", "Invoice number" -> {"invoice", "number"}.
std::vector<std::string> words_of_name(std::string_view name);

/// What a field may hold.
enum class FieldKind : std::uint8_t { text, number, integer, yes_no, date, email, phone, iban, url, card };

struct FieldHint {
  std::string name;         ///< of the property
  std::string description;  ///< the schema's; words in it count when the name's are not found
  FieldKind kind = FieldKind::text;
  std::vector<std::string> choices;  ///< of an enumeration; empty: any
};

/// A value for a field, and why it is thought to be this one.
struct FieldGuess {
  Span span;          ///< bytes of the text
  std::string value;  ///< in normal form; for text the bytes of `span` with single spaces
  Span label;         ///< the words that name the field; empty when there were none
  float score = 0;    ///< 0..1
};

/// A text that is asked for several fields.
class FieldFinder {
 public:
  /// `text` must outlive the finder.
  explicit FieldFinder(std::string_view text);

  /// The best value for a field: beside its name ("Total: 12.50 EUR"), else the only value of that form in
  /// the text. Empty when nothing fits. Linear time.
  std::optional<FieldGuess> find(const FieldHint& hint) const;

  const std::vector<FormedValue>& values() const { return values_; }

  /// Where the words of a field's name stand, best first: full names before parts of them.
  struct Label {
    Span span;
    float score = 0;
  };
  std::vector<Label> labels(const FieldHint& hint) const;

 private:
  struct Word {
    Span span;
    std::string lower;
  };
  std::optional<FieldGuess> beside(const FieldHint& hint, const Label& label) const;
  std::optional<FieldGuess> alone(const FieldHint& hint) const;

  std::string_view text_;
  std::vector<Word> words_;
  std::vector<FormedValue> values_;
};

}  // namespace loam::baseline
