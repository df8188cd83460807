// Failure is a value that the caller must look at: Result<T> holds either a T or an Error.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace loam {

/// What went wrong, in the words of who must act. Log replay and exit codes depend on it.
enum class Kind {
  bad_request,  ///< the person or program asked for something impossible; asking differently helps
  bad_data,     ///< a file or message from outside is damaged, lying or not supported
  out_of_room,  ///< memory, disk, context or a limit is used up
  unavailable,  ///< something needed is not there now (model, network, lock); trying later can help
  our_bug,      ///< an invariant of ours does not hold; please report
};

/// The field's short name of a kind, as printed: "bad request", "bad data", ...
std::string_view name_of(Kind kind);

/// One failure: its kind, where it happened, what happened, and what to do next.
struct Error {
  Kind kind = Kind::our_bug;
  std::string place;      ///< the file, page, setting or row; may be empty
  std::string message;    ///< what is wrong, one sentence without a full stop
  std::string next_step;  ///< what the reader can do, e.g. a command; may be empty

  /// `bad data: offer.pdf page 3: picture without text. Try: loam ingest --ocr offer.pdf`
  std::string line() const;
};

/// Either a value or an Error. Check with `if (!result)`; never discard.
template <typename T>
class [[nodiscard]] Result {
 public:
  // Implicit on purpose: functions return a value or an Error directly.
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  /// REQUIRES: ok().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  /// REQUIRES: !ok().
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

/// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

/// Success for Result<void>: `return done();`
inline Result<void> done() { return {}; }

}  // namespace loam
