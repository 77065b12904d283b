"""The one gate through which every text leaves intake: what it knows of persons, and what it withholds."""
