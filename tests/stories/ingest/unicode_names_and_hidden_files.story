file docs/Größe 1.md: Die Größe beträgt 42 Zentimeter.
file docs/.hidden.md: Nobody should read this.
run loam ingest --json docs
expect exit 0
expect jsonl some /file contains "Größe 1.md"
run loam collections --json
expect json /collections/0/documents == 1
run loam ingest --hidden docs
run loam collections --json
expect json /collections/0/documents == 2
