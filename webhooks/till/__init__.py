"""The till: the staff pages at the counter."""
