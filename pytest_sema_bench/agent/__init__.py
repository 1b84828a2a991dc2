"""The conversation with a model: the loop, its tools, the offline reference model, the prompts."""
