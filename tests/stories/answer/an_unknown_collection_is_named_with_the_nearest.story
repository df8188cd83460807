file leave_policy.md:
    # Leave policy

    ## Annual leave
    Full-time employees have 27 days of annual leave a year. Unused leave expires on 31 March of the next year.

    ## Parental leave
    The other parent gets 8 weeks of paid parental leave. It must be announced 3 months before it begins.

run loam ingest -c handbook leave_policy.md
run loam ask -c handbok "How many days?"
expect exit 2
expect out empty
expect err contains bad request: collection "handbok"
expect err contains -c handbook
expect err lines 1
