run loam settings --json
expect exit 0
expect json /properties/ask/properties/passages/type == "integer"
expect json /properties/ask/properties/passages/maximum == 50
expect json /properties/search/properties/legs/enum contains "bm25"
expect json /additionalProperties == false
