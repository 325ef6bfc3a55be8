import Foundation
import Logging
import SystemPackage

/// Following the sources: what they say now becomes a candidate, unless it looks like a file that is being written.
extension Reloader {
    /// Reads the sources, takes what they say to its end, and tells of it.
    /// - Parameter isForced: Takes a candidate that drops most settings, or whose documents are empty, at its word.
    func reload(_ cause: Cause, isForced: Bool) async -> ReloadOutcome {
        let result = await pipeline.stages.road("reload", cause, in: environment) {
            .success(await readAndCommit(cause, isForced: isForced))
        }
        // A reload refuses nothing before it has looked at it.
        guard case .success(let outcome) = result else { return .unchanged(version: current.latest.version) }
        observers.tell(.ended(outcome))
        return outcome
    }

    private func readAndCommit(_ cause: Cause, isForced: Bool) async -> ReloadOutcome {
        let started = ContinuousClock.now
        let at = Date()
        var candidate = await read()
        let policy = policy(running.snapshot.value)
        if !isForced, !policy.allowsEmpty, vanished(candidate) != nil {
            // Editors and copies leave a file empty or absent for a moment.
            try? await clock.sleep(for: policy.emptyGrace)
            candidate = await read()
        }
        latestCandidate = candidate
        let cause = cause.naming(ownerOf: candidate, differingFrom: running.candidate)
        if candidate.isSame(as: running.candidate) { return settle() }
        let isDecided = refused.map { !$0.isTransient && !($0.isHeldBack && confirmation == nil) } ?? false
        if let refused, isDecided, !isForced, cause.trigger == .file, candidate.isSame(as: refused.candidate), let lastAttempt {
            return .rejected(lastAttempt)
        }
        if !isForced, !policy.allowsEmpty, let problem = vanished(candidate) {
            return await reject(candidate, cause, at, started, Rejection(phase: .read, diagnostics: [problem]))
        }
        if let confirmation {
            // Whether it is to come on top of that version or of the one before it, nobody can know yet.
            let wait = Diagnostic(
                "awaiting-confirmation",
                "version \(confirmation.version) waits to be confirmed; what the files say by then is read after that")
            let outcome = await reject(candidate, cause, at, started, Rejection(phase: .plan, diagnostics: [wait]))
            refused?.isHeldBack = true
            return outcome
        }
        let planned: Planned<Root>
        do {
            planned = try pipeline.plan(candidate, beside: current.latest)
        } catch {
            return await reject(candidate, cause, at, started, error)
        }
        if planned.plan.isEmpty, candidate.storedDocuments == running.candidate.storedDocuments {
            // Another variable, key or secret file that comes to the same: no version, but what is compared with from now on.
            running = planned
            return settle()
        }
        if !isForced, !policy.allowsEmpty, cause.trigger == .file, let problem = shrinkage(planned) {
            return await reject(candidate, cause, at, started, Rejection(phase: .plan, diagnostics: [problem]))
        }
        let proposed = ProposedChange(planned, cause: cause, beside: current.latest.version)
        if let problem = review(current.latest.value, proposed) {
            return await reject(candidate, cause, at, started, Rejection(phase: .plan, diagnostics: [problem]))
        }
        return await commit(planned, cause, at, started)
    }

    /// The sources say what runs.
    private func settle() -> ReloadOutcome {
        // What somebody asked for and was refused is still the last attempt when the files are read again, as after every write.
        if refused != nil || refusedAtStart != nil {
            logger.notice("the files say again what runs", metadata: ["version": "\(current.latest.version)"])
            lastAttempt = lastCommit
        }
        refused = nil
        refusedAtStart = nil
        if standing == .rejected { standing = .running }
        return .unchanged(version: current.latest.version)
    }

    /// Reads what the sources say, and the files that its settings name.
    private func read() async -> Candidate {
        let reading = pipeline.stages.begin(.read)
        defer { reading.end() }
        return await source.read(environment, watchingBy: pipeline.model, pipeline.files)
    }

    // MARK: - What looks like a half-written file

    /// A document that said something and is now empty or gone. Drop-ins come and go; the others do not by intention.
    private func vanished(_ candidate: Candidate) -> Diagnostic? {
        for text in running.candidate.documents where !text.bytes.isEmpty {
            if case .dropIn = text.role { continue }
            let now = candidate.documents.first { $0.name == text.name }
            // One that cannot be read has its own problem.
            if now == nil, candidate.problems.contains(where: { $0.location?.file == text.displayName }) { continue }
            if now?.bytes.isEmpty ?? true {
                return Diagnostic(
                    now == nil ? "missing-document" : "empty-document",
                    at: Location(file: text.displayName, line: 1, column: 1, endLine: 1, endColumn: 1),
                    "\(text.displayName) is \(now == nil ? "gone" : "empty"), but what runs comes from it",
                    hint: "restore it, or take it at its word with 'plue reload --force'")
            }
        }
        return nil
    }

    /// A change that takes away most of what is set: what a file cut short looks like, since any beginning of an INI file is one.
    private func shrinkage(_ planned: Planned<Root>) -> Diagnostic? {
        let before = running.snapshot.settings.count(where: \.isExplicit)
        let gone = running.snapshot.settings.count { $0.isExplicit && planned.snapshot.settings[$0.key]?.isExplicit != true }
        guard gone >= 8, gone * 2 > before else { return nil }
        return Diagnostic(
            "shrunk", "\(gone) of \(before) settings would return to their defaults",
            hint: "if that is meant, say so with 'plue reload --force'")
    }
}

extension Cause {
    /// A change found in files is laid to the owner of the first file that differs: who wrote it, no file says.
    fileprivate func naming(ownerOf candidate: Candidate, differingFrom running: Candidate) -> Cause {
        guard trigger == .file, actor == "file" else { return self }
        let known = Dictionary(running.documents.map { ($0.name, $0.bytes) }, uniquingKeysWith: { $1 })
        let document = candidate.documents.first { known[$0.name] != $0.bytes }
        let files = document == nil ? candidate.watchedFiles.values.compactMap { try? $0.get() } : []
        let file = files.filter { (try? running.watchedFiles[$0.path]?.get()) != $0 }.min { $0.path.string < $1.path.string }
        guard let owner = document?.owner ?? file?.owner else { return self }
        return Cause(trigger, actor: "file:\(owner)", reason: reason)
    }
}
