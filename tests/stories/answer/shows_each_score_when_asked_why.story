file leave_policy.md:
    # Leave policy

    ## Annual leave
    Full-time employees have 27 days of annual leave a year. Unused leave expires on 31 March of the next year.

    ## Parental leave
    The other parent gets 8 weeks of paid parental leave. It must be announced 3 months before it begins.

ingest leave_policy.md
run loam ask --why --baseline-only "When does unused leave expire?"
expect exit 0
expect out contains BM25
expect out contains cosine
expect out matches rank 1
