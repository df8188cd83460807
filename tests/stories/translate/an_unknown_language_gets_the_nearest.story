file a.md: Hello.
run loam translate --to Frensh a.md
expect exit 2
expect err contains --to fr
run loam translate --to xx a.md
expect exit 2
expect err contains ISO 639-1
run loam translate a.md
expect exit 2
expect err contains into which language
