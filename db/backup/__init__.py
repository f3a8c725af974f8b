"""Archives of all stores: an ordinary tar of compressed members, of which every byte is checked.

`writer` and `archive` write and read the format, `tables`, `documents` and `crops` fill it and empty it. What is
restored is made ready beside what is there (`stage`, `exchange`), and put in its place at the end.
"""

__all__: list[str] = []
