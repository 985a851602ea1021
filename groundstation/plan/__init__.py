"""Planning: a draft apart from what is aboard, its file, its check, its way there and back."""
