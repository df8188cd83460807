file person.json: {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"], "additionalProperties": false}
run loam generate --json-schema person.json -n 60 "How old is Anna? She is 33."
expect exit 0
expect json /age is number
file bad.json: {"type": 
run loam generate --json-schema bad.json "x"
expect exit 2
expect err contains bad.json
expect err lines 1
run loam generate --json-schema person.json --grammar person.json "x"
expect exit 2
expect err contains only one
