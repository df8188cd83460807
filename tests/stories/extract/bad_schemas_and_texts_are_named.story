file broken.json: {"type": "object"
file single.json: {"type": "string"}
file reference.json: {"type": "object", "properties": {"a": {"$ref": "#/b"}}}
file good.json: {"type": "object", "properties": {"total": {"type": "number"}}}
file empty.txt: 
run loam extract broken.json "text" --baseline-only
expect exit 2
expect err contains broken.json
run loam extract single.json "text" --baseline-only
expect exit 2
expect err contains single.json
run loam extract reference.json "text" --baseline-only
expect exit 2
expect err contains $ref
run loam extract missing.json "text" --baseline-only
expect exit 2
expect err contains missing.json
run loam extract good.json missing.txt --baseline-only
expect exit 2
expect err contains missing.txt
run loam extract good.json empty.txt --baseline-only
expect exit 1
run loam extract good.json "nothing of the kind" --baseline-only
expect exit 1
