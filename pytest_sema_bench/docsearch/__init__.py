"""What Sema offers, and the search that finds it from what an agent means to do.

The corpus (`corpus/*.yaml`), the table of names from other languages (`foreign.yaml`) and the
thesaurus (`synonyms.yaml`) are data; `choose.make_search` is the door. Importing this package
imports nothing else: what is heavy is imported when somebody searches.
"""
