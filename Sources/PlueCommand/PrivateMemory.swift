import CPlueSystem
import Foundation

/// What keeps a daemon's memory, which has secrets in it, from those who may look at processes or their remains.
enum PrivateMemory {
    private static let backtrace = "SWIFT_BACKTRACE"

    /// To be called first: it may start the program again.
    static func protect() {
        #if os(Linux)
        // Swift's crash report prints the registers, and with them what they point at; it is set up before any of our code runs.
        if getenv(backtrace).map({ String(cString: $0).isEmpty }) ?? true {
            setenv(backtrace, "registers=none", 1)
            var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
            _ = plue_run_again(&arguments)
            // It could not: better a daemon whose crash would tell too much than none.
            for argument in arguments { free(argument) }
        }
        #endif
        plue_keep_memory_private()
    }

    /// Erases from the environment that the process was started with what the configuration was given through it.
    static func erase(_ names: Set<String>) { for name in names { plue_erase_variable(name) } }
}
