import Logging
public struct PlannedService: Sendable { public var name: String; public var action: ServiceAction }
public struct ServiceSet<Root: Sendable>: Sendable { public init() {}
 public func plan(from old: Root?, to new: Root, changed: Set<SettingKey>) -> [PlannedService] { [] } }
public enum CommitOutcome: Sendable { case committed(Version?, [ServiceResult]); case refused(Attempt.Phase, String, [ServiceResult]); case degraded(Attempt.Phase, String, [ServiceResult]) }
actor Committer<Root: Sendable> {
 struct Deadlines { var prepare: Duration; var verify: Duration }
 init(services: ServiceSet<Root>, recorder: any Recorder, clock: any Clock<Duration>, logger: Logger) {}
 func commit(_ next: Root, services: [PlannedService], intent: Intent?, deadlines: Deadlines) async -> CommitOutcome { .committed(nil, []) }
 func run() async {}
 func shutDown() async {}
}
actor ReloadQueue<Outcome: Sendable> { init(_ b: @escaping @Sendable (Cause, Bool) async -> Outcome) { self.b = b }; let b: @Sendable (Cause, Bool) async -> Outcome
 func request(_ c: Cause, isForced: Bool) async -> Outcome { await b(c, isForced) } }
import SystemPackage
public final class FileWatch: Sendable { public enum Mode: String, CaseIterable, Sendable { case auto, inotify, poll, off } }
