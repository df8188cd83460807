file schema.json: {"type": "array", "items": {"type": "object", "properties": {"article": {"type": "string"}, "price": {"type": "number"}}}}
file prices.csv:
    Article,Price
    Green tea,4.50
    Black tea,3.00
run loam extract schema.json prices.csv --baseline-only --json
expect exit 0
expect json /data/length == 2
expect json /data/0/article == "Green tea"
expect json /data/1/price == 3
expect json /from == "table"
