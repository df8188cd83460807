# proves P-CLI-06: one JSON line a file, in the shape that programs rely on.
file leave_policy.md:
    # Leave policy

    ## Annual leave
    Full-time employees have 27 days of annual leave a year. Unused leave expires on 31 March of the next year.

    ## Parental leave
    The other parent gets 8 weeks of paid parental leave. It must be announced 3 months before it begins.

file broken.pdf: %PDF-1.4 this is no pdf
run loam ingest --json leave_policy.md broken.pdf
expect exit 1
expect jsonl count 2
expect jsonl some /verdict == "ingested"
expect jsonl some /verdict == "failed"
expect jsonl 0 / keys file verdict reason passages ms
expect err contains 1 ingested
