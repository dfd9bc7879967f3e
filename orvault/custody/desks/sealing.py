"""What stands in history of a package before it is signed, and the proof of it that the package carries."""

from __future__ import annotations

from orvault.container.history import HistoryProof, ProvenEntry
from orvault.container.tree import inclusion_path_at
from orvault.custody.checkpoints import LogSigner, sign_now
from orvault.custody.desks.checkpoints import CheckpointDesk
from orvault.custody.desks.renders import held
from orvault.custody.history import Act, bytes_of
from orvault.custody.leases import actor_of

MOST_APPROVALS = 7  # that a proof holds


class SealingDesk(CheckpointDesk):
    """What export workers call when they close a package."""

    def seal_package(
        self, request_id: str, epoch: int, package_id: str, content: str, signer: LogSigner
    ) -> HistoryProof:
        """Write into history what a package of this job will hold, before it is signed; the proof that it carries.

        `content`: history-v1, 5.3. In one transaction: 1. the entry; 2. a checkpoint over it; 3. the paths of it and
        of the approval. CONFLICT as for progress; ALTERED if history is shorter than what was signed.
        """
        self.make_checkpoint(signer)  # what is left to compute below holds up nobody then
        with self._uow() as uow:
            request = held(uow, request_id, epoch)
            now, subject = self._clock.now_us(), f"export:{request_id}"
            detail = {"package": package_id, "content": content, "epoch": epoch}
            sealed = uow.history.append(now, actor_of(request), Act.PACKAGE_SEALED, subject, detail)
            approvals = uow.history.page(
                None, MOST_APPROVALS, subject=subject, actor=None, act=Act.EXPORT_APPROVED.value
            )
            made = sign_now(uow, signer, now)
            assert made is not None, "there is at least the entry above"
            tree = uow.checkpoints.tree()
            proven = tuple(
                ProvenEntry(bytes_of(entry), tuple(inclusion_path_at(tree, entry.seq, made.size)))
                for entry in (*reversed(approvals), sealed)
            )
            uow.commit()
        return HistoryProof(made.note, proven)
