import CPlueSystem
import SystemPackage

#if os(Linux)
import Glibc

/// The kernel's file events of one watch plan. Used by one thread only: the watch's.
final class Notifier {
    let descriptor: Int32
    /// Per watch descriptor: the names in the directory that matter, or `nil` for a file watched itself.
    private var names: [Int32: Set<String>?] = [:]
    private var plan: WatchPlan

    struct Failure: Error {
        let reason: String
    }

    private static let directoryMask = UInt32(
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)
    /// A file's own watch is for what is written to it through another name; what becomes of its name, its directory tells.
    private static let fileMask = UInt32(IN_CLOSE_WRITE | IN_MODIFY)

    /// Watches a plan. An instance that watches the same is kept; else the new one watches before the old one stops.
    static func watching(_ plan: WatchPlan, reusing old: Notifier?) -> Result<Notifier, Failure> {
        if let old, old.plan == plan, old.isWhole { return .success(old) }
        let descriptor = old?.descriptor ?? inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard descriptor >= 0 else {
            return .failure(Failure(reason: "inotify is not available: \(Errno(rawValue: errno))"))
        }
        let notifier = old ?? Notifier(descriptor: descriptor, plan: plan)
        if let reason = notifier.watch(plan) { return .failure(Failure(reason: reason)) }
        return .success(notifier)
    }

    private init(descriptor: Int32, plan: WatchPlan) {
        self.descriptor = descriptor
        self.plan = plan
    }

    deinit { close(descriptor) }

    /// Whether no watch has gone by itself, as they do when what they watch is deleted.
    private var isWhole = true

    /// Adds what the plan wants and then removes what it does not.
    /// - Returns: Why it cannot; `nil` when it did.
    private func watch(_ plan: WatchPlan) -> String? {
        var wanted: [Int32: Set<String>?] = [:]
        for (directory, interesting) in plan.directories {
            let watch = directory.withPlatformString { inotify_add_watch(descriptor, $0, Self.directoryMask) }
            if watch >= 0 {
                let known: Set<String> = wanted[watch].flatMap(\.self) ?? []
                wanted[watch] = .some(known.union(interesting))
            } else if let reason = Self.reason(errno) {
                return reason
            }
        }
        for file in plan.files {
            let watch = file.withPlatformString { inotify_add_watch(descriptor, $0, Self.fileMask) }
            if watch >= 0 {
                if wanted[watch] == nil { wanted[watch] = .some(nil) }
            } else if let reason = Self.reason(errno) {
                return reason
            }
        }
        for gone in names.keys where wanted[gone] == nil { inotify_rm_watch(descriptor, gone) }
        names = wanted
        self.plan = plan
        isWhole = true
        return nil
    }

    /// What is gone since the plan was made is no reason: the poll and the next plan see it.
    private static func reason(_ error: Int32) -> String? {
        switch error {
        case ENOENT, ENOTDIR: nil
        case ENOSPC: "no inotify watches are left (fs.inotify.max_user_watches)"
        case EMFILE: "no inotify instances are left (fs.inotify.max_user_instances)"
        default: "inotify failed: \(Errno(rawValue: error))"
        }
    }

    /// What happened since the last call, of what matters.
    func events() -> [WatchSettling.Event] {
        var events: [WatchSettling.Event] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return events }
            buffer.withUnsafeBytes { bytes in
                var offset = 0
                let header = MemoryLayout<inotify_event>.size
                while offset + header <= count {
                    let watch = bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)
                    let mask = bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                    let length = Int(bytes.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self))
                    guard offset + header + length <= count else { return }
                    let name = String(decoding: bytes[(offset + header)..<(offset + header + length)].prefix { $0 != 0 }, as: UTF8.self)
                    if let event = event(watch, mask, name) { events.append(event) }
                    offset += header + length
                }
            }
        }
    }

    private func event(_ watch: Int32, _ mask: UInt32, _ name: String) -> WatchSettling.Event? {
        func has(_ flag: Int) -> Bool { mask & UInt32(truncatingIfNeeded: flag) != 0 }
        if has(Int(IN_Q_OVERFLOW)) { return .overflow }
        if has(Int(IN_IGNORED)) || has(Int(IN_UNMOUNT)) || has(Int(IN_MOVE_SELF)) || has(Int(IN_DELETE_SELF)) {
            isWhole = false
            // A watch that this object itself took away is no news, and neither is a file's that went with its name.
            guard case .some(.some) = names[watch] else { return nil }
            return .touched("\(watch)")
        }
        guard let interesting = names[watch] else { return nil }
        if let interesting, !name.isEmpty, !interesting.contains(name), !Self.isDocument(name) { return nil }
        // A file's own watch and its directory's report the same write; under one name they are one writer.
        let id = name.isEmpty ? "\(watch)" : name
        if has(Int(IN_MOVED_TO)) || has(Int(IN_CLOSE_WRITE)) { return .completed(id) }
        if has(Int(IN_MODIFY)) { return .modified(id) }
        return .touched(id)
    }

    /// Any document matters, also one that is new.
    private static func isDocument(_ name: String) -> Bool { name.hasSuffix(".ini") || name.hasSuffix(".d") }

    /// Why a plan should be polled rather than watched: file systems that change without telling this kernel.
    static func reasonAgainst(_ plan: WatchPlan) -> String? {
        for directory in plan.directories.keys {
            let type = directory.withPlatformString { plue_filesystem_type($0) }
            if let name = remoteFileSystems[type] { return "\(directory) is on \(name)" }
        }
        return nil
    }

    /// Magic numbers of statfs(2).
    private static let remoteFileSystems: [Int64: String] = [
        0x6969: "NFS", 0x6573_5546: "FUSE", 0xFF53_4D42: "CIFS", 0xFE53_4D42: "SMB2", 0x0102_1997: "9p", 0x794C_7630: "overlayfs",
    ]
}
#else
/// Elsewhere files are polled.
final class Notifier {
    let descriptor: Int32 = -1

    struct Failure: Error {
        let reason: String
    }

    static func watching(_ plan: WatchPlan, reusing old: Notifier?) -> Result<Notifier, Failure> {
        .failure(Failure(reason: "this system has no inotify"))
    }
    static func reasonAgainst(_ plan: WatchPlan) -> String? { "this system has no inotify" }
    func events() -> [WatchSettling.Event] { [] }
}
#endif
