file leave_policy.md:
    # Leave policy

    ## Annual leave
    Full-time employees have 27 days of annual leave a year. Unused leave expires on 31 March of the next year.

    ## Parental leave
    The other parent gets 8 weeks of paid parental leave. It must be announced 3 months before it begins.

ingest leave_policy.md
run loam ask --ctx 128 --answer-tokens 100 "How many days of annual leave do full-time employees have?"
expect exit 2
expect out empty
expect err matches ^loam: out of room: .*[0-9]+.*[0-9]+
expect err lines 1
