# What the plan says and what the process took at most differ by less than a tenth.
shell for i in 1 2 3 4 5 6; do for w in 1 2 3 4 5 6 7 8; do printf "alpha beta gamma delta $i$w rent lease flat "; done | awk '{printf "{\"prompt\":\"%s %s %s\",\"response\":\"%s\"}\n", $0, $0, $0, "the lease of flat number seven"}'; done > long.jsonl
expect exit 0
shell loam train lora --data long.jsonl --out long.gguf --steps 2 --batch-size 3 --holdout 0 --json > run.jsonl
expect exit 0
shell awk -F'[:,]' '{for (i = 1; i < NF; i++) { if ($i ~ /predicted_mb/) said = $(i + 1); if ($i ~ /peak_mb/) { gsub(/}/, "", $(i + 1)); took = $(i + 1) } }} END { r = took / said; print said, took, r; exit !(r > 0.9 && r < 1.1) }' run.jsonl
expect exit 0
shell loam fit smollm2-135m-instruct-q4_1 --train --examples 6 --example-tokens 280 --batch-size 3 --answer-tokens 8 --steps 2 --holdout 0 --json > fit.json && awk -F'[:,]' 'FNR == 1 { file++ } file == 1 { for (i = 1; i < NF; i++) if ($i ~ /"total"/) { gsub(/}/, "", $(i + 1)); said = $(i + 1) / 1e6 } } file == 2 { for (i = 1; i < NF; i++) if ($i ~ /peak_mb/) { gsub(/}/, "", $(i + 1)); took = $(i + 1) } } END { r = took / said; print said, took, r; exit !(r > 0.85 && r < 1.15) }' fit.json run.jsonl
expect exit 0
