"""The words of tables and figures: English, then the Chinese of Taiwan."""

PAIRS: dict[str, tuple[str, str]] = {
    "model": ("Model", "模型"),
    "strategy": ("Strategy", "策略"),
    "feature_extraction": ("feature extraction", "特徵擷取"),
    "fine_tuning": ("fine-tuning", "微調"),
    "partial": ("partial fine-tuning", "部分微調"),
    "weights": ("Weights", "預訓練權重"),
    "image_size": ("Size, px", "影像邊長，px"),
    "epochs": ("Epochs", "週期數"),
    "batch_size": ("Batch", "批次大小"),
    "learning_rate": ("Learning rate", "學習率"),
    "seed": ("Seed", "亂數種子"),
    "seeds": ("Seeds", "種子數"),
    "set": ("Set", "設定組"),
    "loss_name": ("Loss function", "損失函數"),
    "optimizer": ("Optimizer", "最佳化器"),
    "momentum": ("Momentum", "動量"),
    "schedule": ("Schedule", "學習率排程"),
    "head": ("Head", "分類層"),
    "output": ("Output", "輸出"),
    "augmentation": ("Augmentation", "資料增強"),
    "sampling": ("Sampling", "取樣"),
    "resize": ("Resizing", "縮放方式"),
    "patience": ("Patience", "容忍週期數"),
    "first_layer": ("First layer", "第一層"),
    "first_trainable": ("Trains from", "可訓練起始層"),
    "frozen": ("Frozen", "凍結層"),
    "cross_entropy": ("cross-entropy", "交叉熵"),
    "weighted_cross_entropy": ("weighted cross-entropy", "加權交叉熵"),
    "focal": ("focal", "focal"),
    "sgd": ("SGD", "SGD"),
    "rmsprop": ("RMSprop", "RMSprop"),
    "adam": ("Adam", "Adam"),
    "adamw": ("AdamW", "AdamW"),
    "accuracy": ("Accuracy", "準確率"),
    "accuracy_percent": ("Accuracy, %", "準確率，%"),
    "accuracy_interval": ("Accuracy, % (95 % interval)", "準確率，%（95 % 信賴區間）"),
    "auroc": ("AUROC", "AUROC"),
    "sensitivity": ("Sens.", "敏感度"),
    "specificity": ("Spec.", "特異度"),
    "precision": ("Prec.", "精確率"),
    "f1": ("F1", "F1"),
    "nll": ("NLL, nats", "NLL，nat"),
    "time": ("Time, s", "時間，秒"),
    "parameters": ("Total, M", "參數，百萬"),
    "trainable": ("Trainable, M", "可訓練，百萬"),
    "majority": ("always {answer}", "一律答 {answer}"),
    "baseline": ("Majority answer", "多數類別"),
    "class": ("Class", "類別"),
    "split": ("Split", "資料集"),
    "train": ("train", "訓練"),
    "val": ("val", "驗證"),
    "test": ("test", "測試"),
    "images": ("Images", "影像數"),
    "groups": ("Patients or slides", "病人或切片數"),
    "share": ("{answer}, %", "{answer}，%"),
    "total": ("Total", "合計"),
    "epoch": ("Epoch", "週期"),
    "loss": ("Loss", "損失"),
    "log": ("log scale", "對數尺度"),
    "overfitting": ("overfitting", "過擬合"),
    "best_epoch": ("best epoch", "最佳週期"),
    "true": ("True class", "實際類別"),
    "predicted": ("Predicted class", "預測類別"),
    "caption_curves": (
        "Loss and accuracy per epoch on train and val. The vertical line and the "
        "dot mark the epoch whose weights were kept and tested.",
        "各週期在訓練集與驗證集上的損失與準確率。直線與圓點標示保留並用於測試的週期。",
    ),
    "caption_band": (
        " With several seeds the line is their mean, the band spans the lowest and "
        "the highest of those still training, and each dot is one seed.",
        "有多個種子時，線為平均，色帶為仍在訓練者的最低與最高值，每個圓點為一個種子。",
    ),
    "caption_losses_differ": (
        " The losses are of different kinds: their heights cannot be compared.",
        "各圖的損失函數不同，其數值高低不能互相比較。",
    ),
    "caption_confusion": (
        "Confusion matrices on the test split: images, and per cent of the true "
        "class. Rows are true, columns predicted classes.",
        "測試集的混淆矩陣：影像數與佔實際類別的百分比。列為實際類別，行為預測類別。",
    ),
    "caption_samples": (
        "Sample images of each class from the {split} split.",
        "{split}集中各類別的影像樣本。",
    ),
    "caption_counts": (
        "Images per class in each split.",
        "各資料集中每個類別的影像數。",
    ),
    "caption_comparison": (
        "Results on the {images} test images, with 95 % Wilson intervals. Sensitivity, "
        "precision and F1 are those of {positive}; total and trainable parameters are "
        "in millions (M). Bold marks the "
        "highest value of a column (the lowest for NLL and time) among the trained "
        "models and is no statement of significance. The last row answers with the "
        "class frequencies of train.",
        "{images} 張測試影像的結果。區間為 95 % Wilson 信賴區間；敏感度、精確率與 F1 "
        "以 {positive} 為準。粗體為已訓練模型中該欄的最高值（NLL 與時間為最低值），"
        "不表示差異顯著。最後一列以訓練集的類別比例作答。",
    ),
    "caption_seeds": (
        " Where a row has several seeds, it gives the mean ± the standard deviation "
        "over them.",
        "有多個種子的列，數值為各種子的平均 ± 標準差。",
    ),
    "caption_one_strategy": (
        " Every run: {strategy}.",
        "所有訓練皆為{strategy}。",
    ),
    "each_class": ("each class, averaged", "各類別平均"),
    "caption_per_class": (
        "Every class against the rest, on the {images} test images.",
        "{images} 張測試影像上，各類別對其餘類別的結果。",
    ),
    "caption_splits": (
        "Images per class and split.",
        "各資料集與類別的影像數。",
    ),
    "run": ("Run", "訓練"),
    "best": ("Best epoch", "最佳週期"),
    "epochs_run": ("Epochs run", "已訓練週期"),
    "stopped_by": ("Stopped by", "停止原因"),
    "by_patience": ("early stopping", "提早停止"),
    "by_epochs": ("limit of epochs", "週期上限"),
    "by_divergence": ("diverged", "發散"),
    "seconds_per_epoch": ("s per epoch", "每週期秒數"),
    "mean_train": ("Mean train acc., %", "平均訓練準確率，%"),
    "mean_val": ("Mean val acc., %", "平均驗證準確率，%"),
    "best_val": ("Best-epoch val acc., %", "最佳週期驗證準確率，%"),
    "train_loss": ("Train loss", "訓練損失"),
    "val_loss": ("Val loss", "驗證損失"),
    "train_accuracy": ("Train acc., %", "訓練準確率，%"),
    "val_accuracy": ("Val acc., %", "驗證準確率，%"),
    "seconds": ("Time, s", "時間，秒"),
    "caption_training": (
        "How training went. The means are over all epochs that were run, as course "
        "reports print them; the last column is of the epoch whose weights were kept.",
        "訓練過程。平均值涵蓋所有已訓練的週期（課程報告的算法）；"
        "最後一欄為保留權重之週期的數值。",
    ),
    "caption_epochs": (
        "Every epoch of every run. Bold marks the epoch whose weights were kept.",
        "每次訓練的每個週期。粗體為保留權重的週期。",
    ),
    "caption_grid": (
        "Val accuracy of the best epoch in per cent, over the two settings that vary "
        "most. {averaged}An empty cell was not run.",
        "最佳週期的驗證準確率（%），依變動最多的兩個設定排列。{averaged}空格表示未訓練。",
    ),
    "grid_averaged": (
        "A cell averages up to {count} runs that differ in other settings. ",
        "每格為至多 {count} 次其他設定不同的訓練之平均。",
    ),
    "no_grid": (
        "No map is drawn: it needs two settings that vary independently, and these "
        "{runs} runs vary in {axes}.",
        "未繪製熱圖：熱圖需要兩個各自變動的設定，而這 {runs} 次訓練變動的是{axes}。",
    ),
    "nothing": ("nothing", "零個設定"),
    "no_range": (
        "No learning-rate range test was asked for (`range_test: true` makes one).",
        "未要求學習率範圍測試（設定 `range_test: true` 即可執行）。",
    ),
    "rate_axis": ("Learning rate (log scale)", "學習率（對數尺度）"),
    "steepest": ("steepest descent at {rate}", "下降最快處 {rate}"),
    "caption_range": (
        "Learning-rate range test: the train loss of a batch while the rate rises "
        "step by step. The vertical line is where the smoothed loss falls fastest; a "
        "rate near it, or a little lower, is a start and no optimum.",
        "學習率範圍測試：學習率逐步升高時的批次訓練損失。"
        "直線為平滑後損失下降最快之處；在其附近或略低的學習率可作為起點，並非最佳值。",
    ),
    "loss_kind": ("Loss", "損失函數"),
    "brier": ("Brier", "Brier"),
    "ece": ("ECE", "ECE"),
    "threshold": ("Threshold", "門檻"),
    "recall_usual": ("{name} at {usual}", "{name}（{usual}）"),
    "recall_moved": ("{name}, moved", "{name}（移動後）"),
    "accuracy_usual": ("Accuracy at {usual}, %", "準確率（{usual}），%"),
    "accuracy_moved": ("Accuracy, moved, %", "準確率（移動後），%"),
    "caption_yardstick": (
        "Losses on one yardstick, on the {images} test images: NLL in nats, Brier "
        "score, and expected calibration error (ECE, {bins} equal bins of confidence) "
        "need no loss of training. Lower is better in these three.",
        "以同一尺度比較各損失函數（{images} 張測試影像）：NLL（nat）、Brier 分數、"
        "期望校準誤差（ECE，{bins} 個等寬信心區間）皆與訓練所用的損失無關，"
        "三者越低越好。",
    ),
    "caption_thresholds": (
        "Recall of each class and accuracy, in per cent, on the {images} test images, "
        "at the usual threshold of 0.5 and at the one with the highest Youden's J on "
        "val, frozen before test. A threshold is on the probability of {positive}. "
        "The row of cross-entropy, moved, is the control that retrains nothing.",
        "{images} 張測試影像上各類別的召回率與準確率（%）：門檻為 0.5，"
        "以及在驗證集上使 Youden's J 最大、測試前即固定的門檻。"
        "門檻作用於 {positive} 的機率。交叉熵移動門檻後的結果即為不需重新訓練的對照。",
    ),
    "caption_recalls": (
        "Recall of each class and accuracy, in per cent, on the {images} test images, "
        "answering with the likeliest class. With more than two classes there is no "
        "single threshold to move.",
        "{images} 張測試影像上各類別的召回率與準確率（%），以機率最高的類別作答。"
        "類別多於兩個時，沒有單一門檻可移動。",
    ),
    "caption_focal": (
        "The focal loss of one image against the probability p of its true class, "
        "class weights aside. "
        "Gamma 0 is cross-entropy; the larger gamma, the less an image counts that "
        "is already classified well.",
        "單張影像的 focal 損失（不計類別權重）與其真實類別機率 p 的關係。"
        "γ = 0 即交叉熵；γ 越大，已分類正確的影像影響越小。",
    ),
    "probability_axis": (
        "Probability of the true class, p",
        "真實類別的機率 p",
    ),
    "loss_axis": ("Loss of one image, nats", "單張影像的損失，nat"),
}
