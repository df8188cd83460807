file schema.json: {"type": "object", "properties": {"invoice_number": {"type": "string"}, "total": {"type": "number"}, "due": {"type": "string", "format": "date"}, "discount": {"type": "number"}}}
file invoice.txt:
    Invoice number: INV-2024-017
    Due: 4 April 2024
    Total: 1,119.00 EUR
run loam extract schema.json invoice.txt --baseline-only --json
expect exit 0
expect json /data/invoice_number == "INV-2024-017"
expect json /data/total == 1119
expect json /data/due == "2024-04-04"
expect json /data/discount is null
expect json /supported == 3
expect json /fields/0/supported == true
expect json /fields/0/quote == "INV-2024-017"
expect json /fields/0/start == 16
run loam extract schema.json invoice.txt --baseline-only
expect exit 0
expect out contains INV-2024-017
run loam extract schema.json "Total: 12.50 EUR" --baseline-only --json
expect json /data/total == 12.5
run-input loam extract schema.json - --baseline-only --json
    Total: 3 EUR
expect json /data/total == 3
