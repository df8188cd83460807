#include "tasks/extract.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/json.h"
#include "reader/reader.h"

namespace loam::tasks {
namespace {

class ScriptedEngine : public engine::Engine {
 public:
  explicit ScriptedEngine(std::deque<std::string> says) : says_(std::move(says)) {}
  const std::string& model_name() const override { return name_; }
  int context_tokens() const override { return context; }
  Result<int> count_tokens(std::string_view text) override { return static_cast<int>(text.size() / 4); }
  Result<int> count_tokens(const std::vector<engine::Message>& messages) override {
    int sum = 0;
    for (const engine::Message& m : messages) sum += static_cast<int>(m.content.size() / 4);
    return sum;
  }
  Result<std::string> render(const std::vector<engine::Message>&) override { return std::string(); }
  Result<engine::Draft> generate(const engine::GenerateRequest& request, const engine::TextSink&,
                                 std::stop_token) override {
    asked.push_back(request);
    engine::Draft draft;
    draft.text = says_.front();
    draft.finish = finish;
    if (says_.size() > 1) says_.pop_front();
    return draft;
  }
  std::vector<engine::GenerateRequest> asked;
  int context = 4096;
  engine::FinishReason finish = engine::FinishReason::stop;

 private:
  std::string name_ = "scripted";
  std::deque<std::string> says_;
};

constexpr const char* kSchema = R"({"type": "object", "properties": {
  "invoice_number": {"type": "string"},
  "invoice_date": {"type": "string", "format": "date"},
  "customer": {"type": "string"},
  "email": {"type": "string", "format": "email"},
  "status": {"enum": ["open", "paid"]},
  "reverse_charge": {"type": "boolean"},
  "total": {"type": "number"},
  "items": {"type": "integer"}}})";

constexpr const char* kInvoice =
    "INVOICE\n"
    "Invoice No.: INV-2024-017\n"
    "Invoice date: 5 March 2024\n"
    "Customer: Green  Tea\nLtd.\n"
    "E-mail: Billing@greentea.example\n"
    "Status: paid\n"
    "Reverse charge: no\n"
    "Shipping: 19.00 EUR\n"
    "Total: EUR 1,119.00\n"
    "Items: 3\n";

ExtractOptions short_answers() {
  ExtractOptions options;
  options.max_tokens = 64;
  return options;
}

ExtractSchema schema_of(const std::string& json) {
  auto schema = ExtractSchema::parse(json, "schema.json");
  EXPECT_TRUE(schema.ok()) << (schema ? "" : schema.error().line());
  return schema ? *std::move(schema) : ExtractSchema();
}

Document document_of(const std::string& text) {
  Document document;
  document.source = "text";
  document.text = text;
  return document;
}

const ExtractedValue* value_at(const ExtractedData& data, const std::string& path) {
  for (const ExtractedValue& value : data.values) {
    if (value.path == path) return &value;
  }
  return nullptr;
}

Json json_of(const ExtractedData& data) { return Json::parse(data.data); }

/// What every answer promises, whatever was proposed.
void expect_sound(const ExtractedData& data, const Document& document) {
  for (const ExtractedValue& value : data.values) {
    if (value.supported) {
      EXPECT_EQ(slice(document.text, value.span), value.quote) << value.path;
      EXPECT_FALSE(value.quote.empty()) << value.path;
      EXPECT_EQ(value.why_not, "") << value.path;
    } else {
      EXPECT_NE(value.why_not, "") << value.path;
      EXPECT_TRUE(value.quote.empty()) << value.path;
    }
  }
  EXPECT_EQ(data.supported + data.unsupported, data.values.size());
}

// proves P-TASK-20
TEST(CheckData, true_values_point_at_their_bytes) {
  const Document document = document_of(kInvoice);
  const auto data = check_data(schema_of(kSchema), document, R"({"invoice_number": "INV-2024-017",
    "invoice_date": "2024-03-05", "customer": "Green Tea Ltd.", "email": "billing@greentea.example", "status": "paid",
    "reverse_charge": false, "total": 1119, "items": 3})");
  ASSERT_TRUE(data.ok()) << data.error().line();
  expect_sound(*data, document);
  EXPECT_EQ(data->unsupported, 0U);
  EXPECT_EQ(value_at(*data, "/invoice_date")->quote, "5 March 2024");
  EXPECT_EQ(value_at(*data, "/customer")->quote, "Green  Tea\nLtd.");
  EXPECT_EQ(value_at(*data, "/total")->quote, "EUR 1,119.00");
  EXPECT_EQ(value_at(*data, "/email")->quote, "Billing@greentea.example");
  EXPECT_EQ(value_at(*data, "/reverse_charge")->quote, "no");
}

// proves P-TASK-21
TEST(CheckData, values_without_a_source_are_null_and_never_supported) {
  const Document document = document_of(kInvoice);
  const auto data = check_data(schema_of(kSchema), document, R"({"invoice_number": "INV-2024-018",
    "invoice_date": "2024-05-03", "customer": "Green Tea", "email": "sales@greentea.example", "status": "open",
    "reverse_charge": true, "total": 119.5, "items": 4})");
  ASSERT_TRUE(data.ok());
  expect_sound(*data, document);
  EXPECT_EQ(value_at(*data, "/customer")->supported, true);  // its words do stand there
  for (const char* path :
       {"/invoice_number", "/invoice_date", "/email", "/status", "/reverse_charge", "/total", "/items"}) {
    ASSERT_NE(value_at(*data, path), nullptr) << path;
    EXPECT_FALSE(value_at(*data, path)->supported) << path;
    EXPECT_TRUE(json_of(*data).at(Json::json_pointer(path)).is_null()) << path;
  }
}

TEST(CheckData, parts_of_words_and_numbers_are_no_source) {
  const ExtractSchema schema = schema_of(
      R"({"type": "object", "properties": {"name": {"type": "string"}, "count": {"type": "integer"}, "code": {"type": "string"}}})");
  const Document document = document_of("Part 2012 of the party costs 12.50, INV-77.");
  for (const char* bad :
       {R"({"name": "art"})", R"({"name": "parti"})", R"({"count": 12})", R"({"count": 201})",
        R"({"code": "12"})", R"({"code": "INV-7"})", R"({"count": 50})"}) {
    const auto data = check_data(schema, document, bad);
    ASSERT_TRUE(data.ok());
    EXPECT_EQ(data->supported, 0U) << bad << " " << data->data;
  }
  for (const char* good : {R"({"name": "party"})", R"({"count": 2012})", R"({"code": "INV-77"})"}) {
    const auto data = check_data(schema, document, good);
    ASSERT_TRUE(data.ok());
    EXPECT_EQ(data->supported, 1U) << good;
  }
}

TEST(CheckData, the_place_nearest_to_the_fields_name_is_taken) {
  const ExtractSchema schema = schema_of(
      R"({"type": "object", "properties": {"shipping": {"type": "number"}, "total": {"type": "number"}}})");
  const std::string text = "Discount: 10.00\nShipping: 10.00\nTotal: 10.00\n";
  const Document document = document_of(text);
  const auto data = check_data(schema, document, R"({"shipping": 10, "total": 10.0})");
  ASSERT_TRUE(data.ok());
  ASSERT_EQ(data->supported, 2U);
  EXPECT_EQ(value_at(*data, "/shipping")->span.start, text.find("10.00", text.find("Shipping")));
  EXPECT_EQ(value_at(*data, "/total")->span.start, text.find("10.00", text.find("Total")));
}

TEST(CheckData, items_of_a_list_stand_one_after_the_other) {
  const ExtractSchema schema =
      schema_of(R"({"type": "object", "properties": {"lines": {"type": "array", "items":
    {"type": "object", "properties": {"price": {"type": "number"}, "name": {"type": "string"}}}}}})");
  const std::string text = "tea 5.00\ncoffee 5.00\nmilk 2.00\n";
  const auto data = check_data(schema, document_of(text),
                               R"({"lines": [{"price": 5, "name": "tea"}, {"price": 5, "name": "coffee"}]})");
  ASSERT_TRUE(data.ok());
  EXPECT_EQ(data->supported, 4U);
  EXPECT_EQ(value_at(*data, "/lines/0/price")->span.start, text.find("5.00"));
  EXPECT_EQ(value_at(*data, "/lines/1/price")->span.start, text.rfind("5.00"));
}

TEST(CheckData, unsupported_values_can_be_kept_and_stay_marked) {
  const auto data =
      check_data(schema_of(kSchema), document_of(kInvoice), R"({"items": 4, "bogus": "x"})", true);
  ASSERT_TRUE(data.ok());
  EXPECT_EQ(json_of(*data)["items"], 4);
  EXPECT_FALSE(value_at(*data, "/items")->supported);
  EXPECT_EQ(value_at(*data, "/bogus")->why_not, "the schema has no such field");
}

TEST(Schema, what_cannot_be_extracted_by_is_refused_with_its_place) {
  for (const char* bad :
       {"", "{", "[]", "3", "{}", R"({"type": "string"})", R"({"type": "object"})",
        R"({"type": "object", "properties": {}})", R"({"type": "array"})",
        R"({"type": "object", "properties": {"a": {"$ref": "#/x"}}})",
        R"({"type": "object", "properties": {"a": {"type": "null"}}})",
        R"({"type": "object", "properties": {"a": {"enum": []}}})",
        R"({"type": "object", "properties": {"a": {"enum": [1]}}})",
        R"x({"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=x)"}}})x",
        R"({"type": "object", "properties": {"a": {"type": "number", "multipleOf": 3}}})",
        R"({"type": "object", "properties": {"a": 5}})"}) {
    const auto schema = ExtractSchema::parse(bad, "my.json");
    ASSERT_FALSE(schema.ok()) << bad;
    EXPECT_NE(schema.error().line().find("my.json"), std::string::npos) << schema.error().line();
  }
}

TEST(Schema, deep_and_wide_schemas_are_refused) {
  std::string deep = R"({"type": "string"})";
  for (int i = 0; i < 30; ++i) deep = R"({"type": "object", "properties": {"a": )" + deep + "}}";
  EXPECT_FALSE(ExtractSchema::parse(deep, "s").ok());
  std::string wide = R"({"type": "object", "properties": {)";
  for (int i = 0; i < 300; ++i)
    wide += (i > 0 ? ",\"f" : "\"f") + std::to_string(i) + R"(": {"type": "string"})";
  EXPECT_FALSE(ExtractSchema::parse(wide + "}}", "s").ok());
}

TEST(Schema, every_field_may_be_null_for_the_model) {
  const ExtractSchema schema = schema_of(kSchema);
  EXPECT_EQ(schema.fields().size(), 8U);
  const Json model = Json::parse(schema.model_schema());
  EXPECT_EQ(model["required"].size(), 8U);
  EXPECT_EQ(model["properties"]["total"]["anyOf"][1]["type"], "null");
  EXPECT_TRUE(model["properties"]["status"]["enum"].back().is_null());
  EXPECT_TRUE(Json::parse(schema.empty_data())["total"].is_null());
}

TEST(Extract, patterns_alone_fill_what_stands_beside_its_name) {
  const Document document = document_of(kInvoice);
  const auto result = extract(nullptr, schema_of(kSchema), document);
  ASSERT_TRUE(result.ok());
  expect_sound(result->result, document);
  const Json data = json_of(result->result);
  EXPECT_EQ(data["invoice_number"], "INV-2024-017");
  EXPECT_EQ(data["invoice_date"], "2024-03-05");
  EXPECT_EQ(data["email"], "billing@greentea.example");
  EXPECT_EQ(data["status"], "paid");
  EXPECT_EQ(data["reverse_charge"], false);
  EXPECT_EQ(data["total"], 1119);
  EXPECT_EQ(data["items"], 3);
  EXPECT_EQ(result->from, ValueFrom::patterns);
}

TEST(Extract, the_models_answer_is_held_against_the_source) {
  ScriptedEngine engine(
      {R"({"invoice_number": "INV-2024-017", "invoice_date": null, "customer": "Somebody Else",
    "email": null, "status": null, "reverse_charge": null, "total": 1119.00, "items": 99})"});
  const Document document = document_of(kInvoice);
  const auto result = extract(&engine, schema_of(kSchema), document);
  ASSERT_TRUE(result.ok()) << result.error().line();
  expect_sound(result->result, document);
  const Json data = json_of(result->result);
  EXPECT_EQ(data["invoice_number"], "INV-2024-017");
  EXPECT_TRUE(data["customer"].is_null());
  EXPECT_TRUE(data["items"].is_null());
  EXPECT_EQ(result->result.supported, 2U);
  EXPECT_EQ(result->result.unsupported, 2U);
  EXPECT_EQ(result->baseline.unsupported, 0U);
  ASSERT_EQ(engine.asked.size(), 1U);
  EXPECT_FALSE(engine.asked[0].json_schema.empty());
}

// proves P-TASK-22
TEST(Extract, an_answer_that_is_not_valid_is_reported_and_counts_as_none) {
  for (const char* bad : {"", "{\"total\": 11", "I cannot", "3", "{\"total\": }"}) {
    ScriptedEngine engine({bad});
    engine.finish = engine::FinishReason::length;
    const auto result = extract(&engine, schema_of(kSchema), document_of(kInvoice));
    ASSERT_TRUE(result.ok()) << bad;
    EXPECT_EQ(result->parts_failed, 1U) << bad;
    EXPECT_EQ(result->result.supported, 0U);
    ASSERT_FALSE(result->notes.empty());
    EXPECT_NE(result->notes[0].find("not valid JSON"), std::string::npos);
    EXPECT_TRUE(json_of(result->result)["total"].is_null());
  }
}

TEST(Extract, an_empty_text_is_refused) {
  for (const char* text : {"", " \n\t "}) {
    const auto result = extract(nullptr, schema_of(kSchema), document_of(text));
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind, Kind::bad_request);
  }
}

TEST(Extract, a_long_text_is_read_in_parts_and_none_is_left_out) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "Line " + std::to_string(i) + " says nothing of interest at all.\n";
  text += "Total: 77.00 EUR\n";
  ScriptedEngine engine({R"({"total": 77})"});
  engine.context = 1024;
  const ExtractSchema schema =
      schema_of(R"({"type": "object", "properties": {"total": {"type": "number"}}})");
  const Document document = document_of(text);
  const auto result = extract(&engine, schema, document, short_answers());
  ASSERT_TRUE(result.ok()) << result.error().line();
  EXPECT_GT(result->parts, 3U);
  EXPECT_EQ(engine.asked.size(), result->parts);
  expect_sound(result->result, document);
  // The line "77" of an early part supports it first; what counts is that every part was shown.
  std::string shown;
  for (const auto& request : engine.asked) shown += request.messages[0].content;
  for (const char* piece : {"Line 0 says", "Line 123 says", "Line 399 says", "Total: 77.00"}) {
    EXPECT_NE(shown.find(piece), std::string::npos) << piece;
  }
}

TEST(Extract, lists_of_several_parts_are_joined) {
  std::string text = "alpha ";
  while (text.size() < 12000) text += "filler words here. ";
  text += "omega";
  ScriptedEngine engine({R"({"names": ["alpha", "nobody"]})", R"({"names": []})", R"({"names": ["omega"]})"});
  engine.context = 1024;
  const ExtractSchema schema = schema_of(
      R"({"type": "object", "properties": {"names": {"type": "array", "items": {"type": "string"}}}})");
  const Document document = document_of(text);
  const auto result = extract(&engine, schema, document, short_answers());
  ASSERT_TRUE(result.ok()) << result.error().line();
  expect_sound(result->result, document);
  const Json names = json_of(result->result)["names"];
  EXPECT_NE(std::find(names.begin(), names.end(), "alpha"), names.end()) << names.dump();
  EXPECT_NE(std::find(names.begin(), names.end(), "omega"), names.end()) << names.dump();
  for (const ExtractedValue& value : result->result.values) {
    if (!value.supported) continue;
    const Json all = json_of(result->result);
    EXPECT_EQ(all.at(Json::json_pointer(value.path)).dump(), value.value) << value.path;
  }
}

constexpr const char* kRows = R"({"type": "array", "items": {"type": "object", "properties": {
  "article": {"type": "string"}, "price": {"type": "number"}, "in_stock": {"type": "boolean"}}}})";

Document parsed(const std::string& bytes, reader::Format format) {
  auto document = reader::parse(bytes, "table", format, {});
  EXPECT_TRUE(document.ok()) << (document ? "" : document.error().line());
  return document ? *std::move(document) : Document();
}

// proves P-TASK-23
TEST(Tables, rows_of_csv_markdown_and_html_are_copied) {
  const std::string csv =
      "Article,Price,In stock\nGreen tea,4.50,yes\n\"Black tea, strong\",3.00,no\nWhite tea,n/a,yes\n";
  const std::string markdown =
      "# Prices\n\n| Article | Price | In stock |\n|---|---|---|\n| Green tea | 4.50 | yes |\n"
      "| Black tea, strong | 3.00 | no |\n| White tea | n/a | yes |\n";
  const std::string html =
      "<table><tr><th>Article</th><th>Price</th><th>In stock</th></tr><tr><td>Green "
      "tea</td><td>4.50</td><td>yes</td>"
      "</tr><tr><td>Black tea, strong</td><td>3.00</td><td>no</td></tr><tr><td>White "
      "tea</td><td>n/a</td><td>yes</td>"
      "</tr></table>";
  for (const auto& [bytes, format] :
       {std::pair(csv, reader::Format::csv), std::pair(markdown, reader::Format::markdown),
        std::pair(html, reader::Format::html)}) {
    const Document document = parsed(bytes, format);
    const auto table = extract_tables(schema_of(kRows), document);
    ASSERT_TRUE(table.has_value()) << document.text;
    expect_sound(*table, document);
    const Json rows = json_of(*table);
    ASSERT_EQ(rows.size(), 3U) << rows.dump();
    EXPECT_EQ(rows[0]["article"], "Green tea");
    EXPECT_EQ(rows[1]["article"], "Black tea, strong");
    EXPECT_EQ(rows[0]["price"], 4.5);
    EXPECT_EQ(rows[1]["in_stock"], false);
    EXPECT_TRUE(rows[2]["price"].is_null());
    EXPECT_EQ(table->unsupported, 1U);
  }
}

TEST(Tables, a_table_with_other_columns_is_left_alone) {
  const Document document = parsed("| Name | Age |\n|---|---|\n| Ann | 3 |\n", reader::Format::markdown);
  EXPECT_FALSE(extract_tables(schema_of(kRows), document).has_value());
  EXPECT_FALSE(extract_tables(schema_of(kSchema), document).has_value());
}

TEST(Score, fields_are_counted_one_by_one) {
  const Document document = document_of(kInvoice);
  const auto data =
      check_data(schema_of(kSchema), document,
                 R"({"invoice_number": "INV-2024-017", "total": 1119, "items": 3, "customer": "INVOICE"})");
  ASSERT_TRUE(data.ok());
  const auto scores = score_fields(
      *data,
      R"({"invoice_number": "inv-2024-017", "total": "1,119.00", "items": 3, "customer": "Green Tea Ltd.", "status": "paid"})");
  ASSERT_TRUE(scores.ok());
  EXPECT_EQ(scores->right, 2U);  // "1,119.00" is a text, and no number
  EXPECT_EQ(scores->proposed, 4U);
  EXPECT_EQ(scores->expected, 5U);
  EXPECT_DOUBLE_EQ(scores->precision(), 0.5);
  EXPECT_DOUBLE_EQ(scores->recall(), 0.4);
  EXPECT_EQ(scores->spans_checked, 2U);
  EXPECT_EQ(scores->spans_right, 2U);
}

TEST(Score, what_has_a_normal_form_is_compared_in_it) {
  const auto right = [](const char* answer, const char* reference) {
    const ExtractedData data{std::string("{\"a\": \"") + answer + "\"}", {}, 0, 0};
    return score_fields(data, std::string("{\"a\": \"") + reference + "\"}")->right;
  };
  EXPECT_EQ(right("9056743793", "905-674-3793"), 1U);
  EXPECT_EQ(right("905.674.3793", "905-674-3793"), 1U);
  EXPECT_EQ(right("905.674.3794", "905-674-3793"), 0U);
  EXPECT_EQ(right("2024-03-05", "5 March 2024"), 1U);
  EXPECT_EQ(right("GB82WEST12345698765432", "gb82 west 1234 5698 7654 32"), 1U);
}

TEST(Score, nothing_for_nothing_is_right_and_lists_are_sets) {
  ExtractedData nothing{"{\"a\": null}", {}, 0, 0};
  EXPECT_DOUBLE_EQ(score_fields(nothing, "{\"a\": null}")->f1(), 1.0);
  EXPECT_DOUBLE_EQ(score_fields(nothing, "{\"a\": \"x\"}")->f1(), 0.0);
  ExtractedData list{"{\"a\": [\"x\", \"y\", \"y\"]}", {}, 0, 0};
  const auto scores = score_fields(list, "{\"a\": [\"y\", \"x\"]}");
  EXPECT_EQ(scores->right, 2U);
  EXPECT_EQ(scores->proposed, 3U);
  EXPECT_FALSE(score_fields(list, "{").ok());
}

}  // namespace
}  // namespace loam::tasks
