"""Someone's files looked at, and a study file drafted for them: `draft_study`, on the command line ``cxresearch init``.

Nothing is guessed in silence: each guess carries its reason into the file, and what cannot be guessed is left open.

    draft              from files to a study file and its audit
    opening            from files to tables, by the door that studies have
    text_files         how a text file is written: separators, headers, encodings, fixed widths
    time_forms         how times are written
    facts              what is in a column
    roles              which column is what
    joins              which table is what
    silences           what a gap is chosen by
    log_sections       what is written about the log
    retention_section  what is written about who stayed
    study_text         TOML with its comments
"""

from cxresearch.drafting.draft import Draft, draft_study
from cxresearch.drafting.facts import describe_tables

__all__ = ["Draft", "describe_tables", "draft_study"]
