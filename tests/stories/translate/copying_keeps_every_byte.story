# proves P-TASK-04
models none
file guide.md:
    # Set up

    Open the **valve** and wait 10 minutes, {name}.

    ```sh
    pump --start
    ```

    | Part | Price |
    |---|---:|
    | seal | 4.50 |

run loam translate --to fr --baseline-only guide.md
expect exit 0
shell loam translate --to fr --baseline-only guide.md 2>/dev/null | cmp - guide.md
expect exit 0
