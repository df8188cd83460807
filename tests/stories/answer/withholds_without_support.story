# proves P-CLI-01: silence is status 1, and has a reason.
file leave_policy.md:
    # Leave policy

    ## Annual leave
    Full-time employees have 27 days of annual leave a year. Unused leave expires on 31 March of the next year.

    ## Parental leave
    The other parent gets 8 weeks of paid parental leave. It must be announced 3 months before it begins.

ingest leave_policy.md
ask What does parking cost?
expect withheld
expect json /citations/length == 0
expect json /baseline is object
