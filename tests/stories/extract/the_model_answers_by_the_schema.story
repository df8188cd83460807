file schema.json: {"type": "object", "properties": {"city": {"type": "string"}, "year": {"type": "integer"}}}
shell loam extract schema.json "The bridge in the city of Prague was built in the year 1357." --max-tokens 64 --json > out.json; test $? -le 1
expect exit 0
shell python3 -c "import json; d = json.load(open('out.json')); t = b'The bridge in the city of Prague was built in the year 1357.'; assert list(d['data']) == ['city', 'year'], d; assert all(f['quote'] == t[f['start']:f['end']].decode() for f in d['fields'] if f['supported']), d; assert d['supported'] + d['unsupported'] == len(d['fields'])"
expect exit 0
