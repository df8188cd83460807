#include "baseline/patterns.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace loam::baseline {
namespace {

std::string shown(std::string_view text) {
  std::string out;
  for (const FormedValue& value : find_values(text)) {
    if (!out.empty()) out += "; ";
    out +=
        std::string(name_of(value.form)) + " " + value.value + (value.unit.empty() ? "" : " " + value.unit);
    EXPECT_LT(value.span.start, value.span.end);
    EXPECT_LE(value.span.end, text.size());
  }
  return out;
}

TEST(Patterns, dates_in_many_forms_have_one_normal_form) {
  EXPECT_EQ(shown("2024-03-05"), "date 2024-03-05");
  EXPECT_EQ(shown("on 5 March 2024."), "date 2024-03-05");
  EXPECT_EQ(shown("on 5th of March, 2024."), "date 2024-03-05");
  EXPECT_EQ(shown("March 5, 2024"), "date 2024-03-05");
  EXPECT_EQ(shown("Mar. 5th 2024"), "date 2024-03-05");
  EXPECT_EQ(shown("5. M\xC3\xA4rz 2024"), "date 2024-03-05");
  EXPECT_EQ(shown("5 ao\xC3\xBBt 2024"), "date 2024-08-05");
  EXPECT_EQ(shown("05.03.2024"), "date 2024-03-05");
  EXPECT_EQ(shown("25/03/2024"), "date 2024-03-25");
  EXPECT_EQ(shown("03/25/2024"), "date 2024-03-25");
}

TEST(Patterns, a_date_with_two_meanings_says_so) {
  EXPECT_EQ(shown("03/04/2024"), "date 03/04/2024?");
  EXPECT_EQ(shown("04/04/2024"), "date 2024-04-04");
}

TEST(Patterns, days_that_no_calendar_has_are_no_dates) {
  EXPECT_EQ(shown("2024-02-30").find("date"), std::string::npos);
  EXPECT_EQ(shown("31 April 2024").find("date"), std::string::npos);
  EXPECT_EQ(shown("2023-02-29").find("date"), std::string::npos);
  EXPECT_EQ(shown("2024-02-29"), "date 2024-02-29");
}

TEST(Patterns, money_has_its_currency_and_a_plain_number) {
  EXPECT_EQ(shown("EUR 12.50"), "money 12.5 EUR");
  EXPECT_EQ(shown("12,50 \xE2\x82\xAC"), "money 12.5 EUR");
  EXPECT_EQ(shown("$1,200.00"), "money 1200 USD");
  EXPECT_EQ(shown("1.234,56 EUR"), "money 1234.56 EUR");
  EXPECT_EQ(shown("1 234 567 USD"), "money 1234567 USD");
  EXPECT_EQ(shown("EUR 1.250"), "money 1250 EUR");
  EXPECT_EQ(shown("-5.00 GBP"), "money -5 GBP");
}

TEST(Patterns, numbers_and_percentages) {
  EXPECT_EQ(shown("it weighs 1.250 in all"), "number 1.25");
  EXPECT_EQ(shown("1,250 pieces"), "number 1250");
  EXPECT_EQ(shown("19 % and 7.5%"), "percent 19; percent 7.5");
  EXPECT_EQ(shown("007"), "number 7");
  EXPECT_EQ(shown("0.50"), "number 0.5");
  EXPECT_EQ(shown("version 1.2.3").find("number"), std::string::npos);
}

TEST(Patterns, electronic_addresses) {
  EXPECT_EQ(shown("write to Jane.Doe+x@Example.co.uk, please"), "email jane.doe+x@example.co.uk");
  EXPECT_EQ(shown("a@b, @home, x@y"), "");
  EXPECT_EQ(shown("see https://example.org/a?b=c)."), "url https://example.org/a?b=c");
}

TEST(Patterns, telephone_numbers) {
  EXPECT_EQ(shown("+49 30 123456-78"), "phone +493012345678");
  EXPECT_EQ(shown("(030) 1234 567"), "phone 0301234567");
  EXPECT_EQ(shown("555-123-4567"), "phone 5551234567");
  EXPECT_EQ(shown("12 34").find("phone"), std::string::npos);
}

// proves P-BASE-30
TEST(Patterns, telephone_numbers_in_pairs) {
  EXPECT_EQ(shown("60-56-85-91"), "phone 60568591");
  EXPECT_EQ(shown("call 60 56 85 91."), "phone 60568591");
  EXPECT_EQ(shown("60-56-85 91").find("phone"), std::string::npos);
  EXPECT_EQ(shown("60-56-85").find("phone"), std::string::npos);
}

TEST(Patterns, a_card_number_has_the_right_last_digit) {
  EXPECT_EQ(shown("card 4111111111111111?"), "card 4111111111111111");
  EXPECT_EQ(shown("4111 1111 1111 1111"), "card 4111111111111111");
  EXPECT_EQ(shown("3782-822463-10005"), "card 378282246310005");
  EXPECT_EQ(shown("4111111111111112").find("card"), std::string::npos);  // one digit wrong
  EXPECT_EQ(shown("411111111111").find("card"), std::string::npos);      // too short
  EXPECT_EQ(shown("4111 11 11 1111 1111 11").find("card"), std::string::npos);
}

TEST(Patterns, an_iban_has_the_right_length_and_check_digits) {
  EXPECT_EQ(shown("DE89 3704 0044 0532 0130 00"), "iban DE89370400440532013000");
  EXPECT_EQ(shown("IBAN: GB82WEST12345698765432."), "iban GB82WEST12345698765432");
  EXPECT_EQ(shown("my iban is gb82west12345698765432"), "iban GB82WEST12345698765432");
  EXPECT_TRUE(is_iban("FR14 2004 1010 0505 0001 3M02 606"));
  EXPECT_FALSE(is_iban("DE89 3704 0044 0532 0130 01"));  // one digit wrong
  EXPECT_FALSE(is_iban("DE89 3704 0044 0532 0130 0"));   // one digit missing
  EXPECT_FALSE(is_iban(""));
  EXPECT_EQ(shown("DE89 3704 0044 0532 0130 01").find("iban"), std::string::npos);
}

TEST(Patterns, each_altered_digit_of_an_iban_is_noticed) {
  const std::string good = "DE89370400440532013000";
  for (std::size_t i = 2; i < good.size(); ++i) {
    for (char c = '0'; c <= '9'; ++c) {
      std::string other = good;
      other[i] = c;
      EXPECT_EQ(is_iban(other), other == good) << other;
    }
  }
}

TEST(Patterns, codes) {
  EXPECT_EQ(shown("invoice INV-2024-001 of"), "code INV-2024-001");
  EXPECT_EQ(shown("part A12345"), "code A12345");
  EXPECT_EQ(shown("12th").find("number"), std::string::npos);
}

TEST(Patterns, names_fall_into_words) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(words_of_name("invoiceNumber"), (Words{"invoice", "number"}));
  EXPECT_EQ(words_of_name("invoice_number"), (Words{"invoice", "number"}));
  EXPECT_EQ(words_of_name("VATRate 2"), (Words{"vat", "rate", "2"}));
  EXPECT_EQ(words_of_name("--"), Words{});
}

constexpr std::string_view kInvoice =
    "INVOICE\n"
    "Invoice No.: INV-2024-017\n"
    "Invoice date: 5 March 2024    Due date: 4 April 2024\n"
    "Customer: Green  Tea Ltd.\n"
    "E-mail: billing@greentea.example\n"
    "Status: paid\n"
    "Reverse charge: no\n"
    "Net amount: 100.00 EUR\n"
    "Total: 119.00 EUR\n"
    "Items: 3\n";

std::string field(const std::string& name, FieldKind kind = FieldKind::text,
                  std::vector<std::string> choices = {}, std::string_view text = kInvoice) {
  const FieldFinder finder(text);
  const auto guess = finder.find({name, "", kind, std::move(choices)});
  return guess ? guess->value : "-";
}

TEST(FieldFinder, a_value_stands_beside_its_name) {
  EXPECT_EQ(field("invoice_number"), "INV-2024-017");
  EXPECT_EQ(field("invoiceDate", FieldKind::date), "2024-03-05");
  EXPECT_EQ(field("due_date", FieldKind::date), "2024-04-04");
  EXPECT_EQ(field("customer"), "Green Tea Ltd");
  EXPECT_EQ(field("email"), "billing@greentea.example");
  EXPECT_EQ(field("contact_email"), "billing@greentea.example");
  EXPECT_EQ(field("total", FieldKind::number), "119");
  EXPECT_EQ(field("net_amount", FieldKind::number), "100");
  EXPECT_EQ(field("items", FieldKind::integer), "3");
  EXPECT_EQ(field("status", FieldKind::text, {"open", "paid"}), "paid");
  EXPECT_EQ(field("reverse_charge", FieldKind::yes_no), "false");
}

TEST(FieldFinder, what_is_not_there_is_not_found) {
  EXPECT_EQ(field("iban", FieldKind::iban), "-");
  EXPECT_EQ(field("discount", FieldKind::number), "-");
  EXPECT_EQ(field("approved", FieldKind::yes_no), "-");
  EXPECT_EQ(field("colour", FieldKind::text, {"red", "blue"}), "-");
  EXPECT_EQ(field("total", FieldKind::number, {}, ""), "-");
  EXPECT_EQ(field("", FieldKind::text), "-");
}

TEST(FieldFinder, the_only_value_of_its_form_needs_no_name) {
  EXPECT_EQ(field("payment_account", FieldKind::iban, {}, "Pay to DE89 3704 0044 0532 0130 00 soon."),
            "DE89370400440532013000");
  EXPECT_EQ(field("when", FieldKind::date, {}, "signed 1 May 2020 and 2 May 2020"), "-");
}

// proves P-BASE-31
TEST(FieldFinder, spans_are_the_bytes_of_the_text) {
  const FieldFinder finder(kInvoice);
  const auto total = finder.find({"total", "", FieldKind::number, {}});
  ASSERT_TRUE(total);
  EXPECT_EQ(slice(kInvoice, total->span), "119.00 EUR");
  EXPECT_EQ(slice(kInvoice, total->label), "Total");
  const auto customer = finder.find({"customer", "", FieldKind::text, {}});
  ASSERT_TRUE(customer);
  EXPECT_EQ(slice(kInvoice, customer->span), "Green  Tea Ltd");
}

TEST(FieldFinder, hostile_texts_take_linear_time) {
  for (const char* piece : {"a@", "1.", "1 234 ", "DE89 ", "(0", "+1-", "total ", "https://", "3 March "}) {
    std::string text;
    while (text.size() < 400'000) text += piece;
    const Stopwatch watch;
    const FieldFinder finder(text);
    static_cast<void>(
        finder.find({"grand_total_amount", "the total amount of it all", FieldKind::number, {}}));
    EXPECT_LT(watch.milliseconds(), 5000) << piece;
  }
}

}  // namespace
}  // namespace loam::baseline
