package import Foundation

/// How much of the history is kept.
///
/// A version goes when it is beyond **both** limits: not among the newest ``versions``, and older than ``age``. Versions go
/// oldest first, up to the first that has to stay, so what is kept has no holes. The running version never goes, nor the
/// one before it. A refused candidate goes when it is older than ``age`` or not among the newest ``refusals``.
///
/// Numbers and ids are never given twice: after pruning, counting goes on.
public struct Retention: Hashable, Sendable {
    /// So many of the newest versions stay, however old. At least 2: the running one and the one it can go back to.
    public let versions: Int
    /// Whatever is younger stays (refused candidates: as far as ``refusals`` allows).
    public let age: Duration
    /// At most so many candidates that did not become versions are kept; pruning runs every
    /// ``interval`` entries, so a few more can be there in between.
    public let refusals: Int

    /// Makes a retention; limits below their minimum are raised to it.
    public init(versions: Int, age: Duration, refusals: Int = 10_000) {
        self.versions = max(2, versions)
        self.age = max(.zero, age)
        self.refusals = max(1, refusals)
    }

    /// `keep(versions: 100, for: .seconds(400 * 86_400))` reads as it is meant.
    public static func keep(versions: Int, for age: Duration, refusals: Int = 10_000) -> Retention {
        Retention(versions: versions, age: age, refusals: refusals)
    }

    /// 100 versions and 400 days (§9), 10 000 refused candidates.
    public static let standard = Retention.keep(versions: 100, for: .seconds(400 * 86_400))

    /// A recorder prunes by itself once in so many recorded outcomes.
    public static let interval = 64

    /// What is older than this may go.
    package func cutoff(at now: Date) -> Date {
        now.addingTimeInterval(-(age / .seconds(1)))
    }
}
