"""Wishes, schedules and absences of rooms: the document, its edits and its value at a time. Pure.

The document is a JSON tree. Its part `scheduler` has the form of the heating control app, whose
unknown keys are kept. `check` refuses a wrong tree, `edit` makes a new tree of an old one, `value`
and `timeline` evaluate it, `wish` ranks what people, absences, schedules and limits want.
"""
