// Any bytes: values lie inside the text, in order and apart; what is called an IBAN is one; asking for fields
// of every kind ends, and what is found lies inside the text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "baseline/patterns.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace loam;
  using namespace loam::baseline;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t end = 0;
  const FieldFinder finder(text);
  for (const FormedValue& value : finder.values()) {
    if (value.span.start < end || value.span.empty() || value.span.end > text.size()) std::abort();
    if (value.value.empty()) std::abort();
    if (value.form == ValueForm::iban && !is_iban(value.value)) std::abort();
    end = value.span.end;
  }
  for (const char* name : {"total", "invoice_number", "customerName", "Due date", "e-mail"}) {
    for (const FieldKind kind :
         {FieldKind::text, FieldKind::number, FieldKind::integer, FieldKind::yes_no, FieldKind::date,
          FieldKind::email, FieldKind::phone, FieldKind::iban, FieldKind::url}) {
      const auto guess = finder.find({name, "the amount that is due", kind, {}});
      if (guess && (guess->span.empty() || guess->span.end > text.size() || guess->value.empty()))
        std::abort();
    }
  }
  const auto chosen = finder.find({"status", "", FieldKind::text, {"open", "paid", ""}});
  if (chosen && chosen->span.end > text.size()) std::abort();
  return 0;
}
