"""What a remote place may be told openly, and how long it is waited for."""

from attrs import frozen


@frozen
class Limits:
    """How long one request may take, in seconds.

    Attributes:
        connect_within: Until the server takes the connection.
        answer_within: Until the next bytes of an answer.
        in_all: Until the answer is whole; then the request is cancelled.
    """

    connect_within: float = 5.0
    answer_within: float = 20.0
    in_all: float = 60.0
